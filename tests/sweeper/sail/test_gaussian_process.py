import numpy as np
import pytest
from scipy.optimize import check_grad

from sweeper.sail import gaussian_process

RNG = np.random.default_rng(0)
FEATURES = RNG.random((60, 3))
OUTPUTS = np.sin(6 * FEATURES[:, 0]) + FEATURES[:, 1] ** 2  # the third feature says nothing
GROUPS = np.arange(3)


def test_the_gradient_is_that_of_the_likelihood():
    squared = gaussian_process._by_dimension(FEATURES, GROUPS)
    parts = squared, OUTPUTS, np.full(len(OUTPUTS), 0.01)
    for logs in RNG.normal(0, 0.5, (5, 5)):
        off = check_grad(
            lambda logs: gaussian_process._negative_log_likelihood(logs, *parts)[0],
            lambda logs: gaussian_process._negative_log_likelihood(logs, *parts)[1],
            logs,
        )
        assert off < 1e-3


def test_it_predicts_what_it_has_not_seen_and_knows_how_well():
    process = gaussian_process.fit(FEATURES, OUTPUTS, GROUPS)
    new = RNG.random((200, 3))
    mean, deviation = process.predict_with_deviation(new)
    errors = np.abs(mean - (np.sin(6 * new[:, 0]) + new[:, 1] ** 2))
    assert np.median(errors) < 0.02
    assert (errors < 4 * deviation + 1e-3).mean() > 0.9
    far = process.predict_with_deviation(np.full((1, 3), 5.0))[1]
    assert far > 5 * np.median(deviation)
    np.testing.assert_allclose(process.predict(new), mean)


def test_a_dimension_that_changes_nothing_gets_a_long_length_scale():
    scales = gaussian_process.fit(FEATURES, OUTPUTS, GROUPS).kernel.scales
    assert scales[2] > 3 * scales[0]


def test_what_is_known_roughly_pulls_less():
    features, outputs = np.array([[0.0], [0.5], [0.5], [1.0]]), np.array([0.0, 1.0, 0.0, 0.0])
    trusted = gaussian_process.fit(features, outputs, np.array([0]), extra_noise=np.array([0, 0, 9.0, 0]), learn=False)
    assert trusted.predict(np.array([[0.5]]))[0] > 0.8


@pytest.mark.parametrize("outputs", [np.zeros(60), np.full(60, 0.5)])
def test_equal_outputs_are_predicted_everywhere(outputs):
    process = gaussian_process.fit(FEATURES, outputs, GROUPS)
    np.testing.assert_allclose(process.predict(RNG.random((5, 3))), outputs[:5], atol=1e-6)
