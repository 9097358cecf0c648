import pytest

from sweeper.errors import ConfigError
from sweeper.training import schedule


def rate(made, step):
    return float(made.rates[step])


@pytest.mark.parametrize(
    ("warmup", "step", "expected"),
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
def test_cosine_climbs_to_the_peak_and_falls_to_zero(warmup, step, expected):
    assert rate(schedule.cosine(1.0, 100, warmup=warmup), step) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("step", [0, 50, 100])
def test_constant_stays(step):
    assert rate(schedule.constant(0.1, 100), step) == pytest.approx(0.1)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.2), (10, 0.6), (20, 1.0), (60, 0.5), (100, 0.0)])
def test_one_cycle_is_a_triangle(step, expected):
    made = schedule.one_cycle(1.0, 100, peak_at=0.2, start=0.2)
    assert rate(made, step) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("peak_at", [0.0, 0.004])
def test_one_cycle_may_begin_at_its_peak(peak_at):
    assert rate(schedule.one_cycle(1.0, 100, peak_at=peak_at, start=1 - 1e-9), 0) == pytest.approx(1.0)


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (50, 1.0), (51, 0.1), (75, 0.1), (76, 0.01), (100, 0.01)])
def test_step_drops_at_its_fractions(step, expected):
    assert rate(schedule.step(1.0, 100), step) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["constant", "cosine", "one_cycle", "step", "plateau"])
def test_a_rate_may_be_a_whole_number(name):
    assert 0 < rate(getattr(schedule, name)(1, 100), 10) <= 1


def test_plateau_falls_when_the_validation_loss_did_not():
    made = schedule.plateau(1.0, 100, factor=0.1, patience=2)
    losses = (1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8)
    assert [made.end_epoch(val_loss) for val_loss in losses] == [1, 1, 1, 0.1, 1, 1, 0.1, 1, 0.1]


@pytest.mark.parametrize(
    ("make", "key", "value"),
    [
        (schedule.cosine, "warmup", -0.1),
        (schedule.cosine, "warmup", 1.0),
        (schedule.one_cycle, "peak_at", 1),
        (schedule.one_cycle, "start", None),
        (schedule.step, "factor", 2),
        (schedule.plateau, "factor", 1.5),
        (schedule.plateau, "patience", 0),
    ],
)
def test_a_value_out_of_its_range_is_refused(make, key, value):
    with pytest.raises(ConfigError, match=f"schedule.{key}={value}"):
        make(1.0, 100, **{key: value})


@pytest.mark.parametrize(("at", "last"), [((0.5, 0.5), 0.01), ((0.5, 0.75), 0.1), ((), 1.0)])
def test_drops_of_a_short_training_may_fall_together(at, last):
    assert rate(schedule.step(1.0, 2, at=at), 2) == pytest.approx(last)


def test_a_drop_after_the_training_is_refused():
    with pytest.raises(ConfigError, match=r"schedule.at=1.5: not a fraction"):
        schedule.step(1.0, 100, at=[0.5, 1.5])
