import pytest

from sweeper import schedule
from sweeper.errors import ConfigError


@pytest.mark.parametrize(
    ("warmup", "step", "rate"),
    [
        (0.0, 0, 1.0),
        (0.0, 50, 0.5),
        (0.0, 100, 0.0),
        (0.2, 0, 0.05),
        (0.2, 10, 0.525),
        (0.2, 20, 1.0),
        (0.2, 60, 0.5),
        (0.2, 100, 0.0),
    ],
)
def test_cosine_climbs_to_the_peak_and_falls_to_zero(warmup, step, rate):
    assert float(schedule.cosine(1.0, 100, warmup=warmup)(step)) == pytest.approx(rate, abs=1e-6)


@pytest.mark.parametrize("step", [0, 50, 100])
def test_constant_stays(step):
    assert float(schedule.constant(0.1, 100)(step)) == pytest.approx(0.1)


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_a_warmup_that_is_not_part_of_the_training_is_refused(warmup):
    with pytest.raises(ConfigError, match=f"schedule.warmup={warmup}"):
        schedule.cosine(1.0, 100, warmup=warmup)
