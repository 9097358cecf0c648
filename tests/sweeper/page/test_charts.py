"""Charts of a report as data: what stands at their axes."""

import pytest

from sweeper.page import charts, seen
from sweeper.records.events import SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.search.study_journal import StudyJournal


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (1e-1, {"dtick": 1}),
        (2e-3, {"tickvals": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2]}),
    ],
)
def test_a_logarithmic_axis_has_powers_of_ten_or_where_it_is_short_whole_numbers(tmp_path, high, ticks):
    import optuna

    low, folder = 5e-4, tmp_path / "sweep"
    journal = Journal(folder)
    journal.write(SweepStarted("sweep", "", "value", ("maximize",), 4, None, 1e9))
    study = optuna.create_study(storage=StudyJournal(folder / "study.journal"), study_name="sweep")
    for number, rate in enumerate((low, high, high, low)):
        study.enqueue_trial({"lr": rate})
        study.ask({"lr": optuna.distributions.FloatDistribution(1e-4, 1, log=True)})
        journal.write(TrialStarted(number, 0, {"lr": rate}, "", str(number), 1e9))
        journal.write(TrialEnded(number, "FINISHED", (0.1 * number,), None, {}, 1e9))
    journal.close()
    (chart,) = charts.slices(seen.look(folder), 0)
    axis = chart.figure["layout"]["xaxis"]
    assert axis["type"] == "log"
    assert {name: axis.get(name) for name in ticks} == ticks


def test_the_first_trials_of_a_slice_have_a_colour_that_is_seen(write_sweep):
    (chart, *_) = charts.slices(seen.look(write_sweep("few", ("FINISHED", 0.5), ("FINISHED", 0.6))), 0)
    assert chart.figure["data"][-1]["marker"]["colorscale"][0] == [0, "var(--early)"]
