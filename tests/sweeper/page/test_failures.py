"""Reasons of failures: what differs in its numbers only is one."""

import pytest

from sweeper.page import failures, seen
from sweeper.records.events import SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        (["no number"], "no number"),
        (["misses parameters <= 20000 by 44570"] * 2, "misses parameters <= 20000 by 44570"),
        (
            ["misses size <= 200 by 9", "misses size <= 200 by 1.5e+03", "misses size <= 200 by 30"],
            "misses size <= 200 by 9 to 1.5e+03",
        ),
        (["refuses (filters=-3): got -3.", "refuses (filters=0): got 0."], "refuses (filters=-3 to 0): got -3 to 0."),
        (["7", "8"], "7 to 8"),
    ],
)
def test_reasons_that_differ_in_their_numbers_become_one(reasons, shown):
    assert failures.together(reasons) == shown


def test_trials_that_miss_the_same_constraints_share_a_line(tmp_path):
    journal = Journal(tmp_path / "sweep")
    journal.write(SweepStarted("sweep", "", "value", ("maximize",), 7, None, 1e9))
    for number, (state, missed, reason) in enumerate(
        (
            ("FINISHED", {"size <= 200": 30.0}, None),
            ("FINISHED", {"size <= 200": 9.0}, None),
            ("FINISHED", {"size <= 200": 4.0, "mflops <= 3": 1.0}, None),
            ("FINISHED", {"size <= 200": float("inf")}, None),
            ("FAILED", {}, "refuses filters=-3"),
            ("FAILED", {}, "refuses filters=0"),
            ("FINISHED", {"size <= 200": 70.5}, None),
        )
    ):
        values = (0.5,) if state == "FINISHED" else None
        journal.write(TrialStarted(number, 0, {"x": number}, "", str(number), 1e9))
        journal.write(TrialEnded(number, state, values, reason, {"epochs": 1}, 1e9, missed))
    journal.close()
    (table,) = failures.section(seen.look(tmp_path / "sweep")).blocks
    assert [[cell.words for cell in line.cells] for line in table.lines] == [
        ["infeasible", "3", "misses size <= 200 by 9 to 70.5", "0, 1, 6"],
        ["failed", "2", "refuses filters=-3 to 0", "4, 5"],
        ["infeasible", "1", "misses size <= 200 by 4; misses mflops <= 3 by 1", "2"],
        ["infeasible", "1", "misses size <= 200: it told no number of that name, but epochs", "3"],
    ]
