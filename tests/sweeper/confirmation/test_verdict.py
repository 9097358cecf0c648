"""What a confirmation says, from journals alone: the ranking, the sentences, the files and the table."""

import csv
import io
import math
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from scipy import stats

from sweeper.confirmation import conclusion, verdict
from sweeper.records import record
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted, TrialTested
from sweeper.records.journal import Journal
from sweeper.training import origin

TESTED = {
    0: [0.90, 0.92, 0.91, 0.93, 0.90],
    1: [0.91, 0.91, 0.93, 0.92, 0.92],
    2: [0.80, 0.81, 0.79, 0.80, 0.82],
}


@pytest.fixture
def confirmed(write_sweep):
    """Writes a sweep and its confirmation; the verdict.

    tests: by candidate the test accuracy with each seed, or a state; the validation is 0.05 above it.
    """

    def confirmed(tests, searched=(0.99, 0.98, 0.97), *, told=True, missing=0, better="maximize", **known):
        values = [value if isinstance(value, tuple) else (value,) for value in searched]
        metric = known.pop("metric", "val_accuracy" if better == "maximize" else "val_loss")
        directions = known.pop("directions", (better,))
        outcomes = [("FINISHED", *value) for value in values]
        folder = write_sweep("monday", *outcomes, metric=metric, directions=directions, **known)
        journal = Journal(folder / "confirm")
        total = sum(map(len, tests.values())) + missing
        journal.write(SweepStarted("monday/confirm", "confirm", metric, directions, total, None, 2000.0))
        number = 0
        for candidate, results in tests.items():
            for seed, result in enumerate(results, start=1000):
                params = {"candidate": candidate, "seed": seed}
                journal.write(TrialStarted(number, 0, params, "train", str(number), 2001.0))
                if isinstance(result, str):
                    journal.write(TrialEnded(number, result, None, "because", {}, 2002.0))
                else:
                    test = metric.split(",")[0].replace("val_", "test_")
                    facts = {test: result, "test_other": 0.5} if told else {}
                    rest = (1.0,) * (len(directions) - 1)
                    journal.write(TrialEnded(number, "FINISHED", (result + 0.05, *rest), None, facts, 2002.0))
                number += 1
        journal.write(SweepEnded("FINISHED", None, None, 2003.0))
        journal.close()
        return verdict.of(record.read(folder), record.confirmation(folder))

    return confirmed


def said(found):
    return "\n".join(verdict.sentences(found))


def test_the_test_data_rank_and_not_the_search(confirmed):
    found = confirmed(TESTED)
    assert [row.trial.number for row in found.rows] == [1, 0, 2]
    assert (found.metric, found.objective) == ("test_accuracy", "val_accuracy")
    first = found.rows[0]
    margin = stats.t.ppf(0.975, 4) * stats.sem(TESTED[1])
    assert (first.estimate.mean, first.estimate.margin) == pytest.approx((0.918, margin))
    assert first.validated.mean == pytest.approx(0.968)
    assert first.searched == 0.98


def test_each_other_candidate_is_compared_with_the_winner_by_seed(confirmed):
    found = confirmed(TESTED)
    raw = [stats.ttest_rel(TESTED[1], TESTED[number]).pvalue for number in (0, 2)]
    assert raw[1] < raw[0]
    assert [row.p for row in found.rows] == [None, pytest.approx(raw[0]), pytest.approx(2 * raw[1])]
    assert found.significant is False


def test_of_two_that_chance_explains_the_smaller_is_named(confirmed):
    found = confirmed(TESTED)
    p = stats.ttest_rel(TESTED[1], TESTED[0]).pvalue
    expected = (
        f"Trial 1 is ahead of trial 0 by 0.60 points, which chance explains (p = {p:.2g}): choose by size or speed."
    )
    assert expected in said(found)
    assert "and smaller" not in said(found)  # all are of one size
    found.rows[1].trial.facts["parameters"] = 45_000
    assert "As good by these seeds, and smaller: trial 0 with 45k parameters." in said(found)


def test_what_chance_hardly_explains_is_said_as_well(confirmed):
    found = confirmed({0: TESTED[0], 2: TESTED[2]})
    assert "Trial 0 is ahead of trial 2 by 10.80 points, which chance hardly explains (p < 0.001)." in said(found)
    assert found.significant is True


def test_the_shrinkage_is_shown_from_the_search_to_the_test(confirmed):
    found = confirmed(TESTED)
    assert (
        "Trial 1: val_accuracy 0.9800 in the search, 0.9680 with fresh seeds, test_accuracy 0.9180: 6.20 points worse "
        "than the search saw." in said(found)
    )


def test_a_loss_is_better_when_it_is_lower(confirmed):
    found = confirmed({0: [0.5, 0.6, 0.55], 1: [0.4, 0.45, 0.42]}, (0.3, 0.35), better="minimize")
    assert [row.trial.number for row in found.rows] == [1, 0]
    assert "Trial 1 is ahead of trial 0 by 0.1267" in said(found)
    assert "0.0733 worse than the search saw" in said(found)


def test_several_objectives_are_ranked_by_the_first(confirmed):
    searched = ((0.99, 5.0), (0.98, 3.0))
    objectives = {"metric": "val_accuracy,mflops", "directions": ("maximize", "minimize")}
    found = confirmed({0: [0.8, 0.82], 1: [0.9, 0.91]}, searched, **objectives)
    assert [row.trial.number for row in found.rows] == [1, 0]
    assert found.metric == "test_accuracy"
    assert "Ranked by test_accuracy alone: mflops is not judged." in said(found)
    assert "not judged" not in said(confirmed(TESTED))


def test_what_other_objectives_come_to_has_a_column_each(confirmed, capsys):
    metric, directions = "val_accuracy,mflops,parameters", ("maximize", "minimize", "minimize")
    searched = ((0.99, 5.0, 7.0), (0.98, 3.0, 7.0))
    found = confirmed({0: [0.8, 0.82], 1: [0.9, 0.91]}, searched, metric=metric, directions=directions)
    assert "Ranked by test_accuracy alone: mflops and parameters are not judged." in said(found)
    conclusion.show(found, Console(file=io.StringIO(), force_terminal=False))
    header, first, *_ = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header[-2:] == ["mflops", "parameters"]
    assert first[-2:] == ["1.0", "1.0"]
    file = io.StringIO()
    conclusion.show(found, Console(file=file, force_terminal=True, width=100, color_system=None))
    assert "mflops  parameters  seeds" in file.getvalue()


def test_what_the_search_saw_to_the_digit_is_called_so(confirmed):
    found = confirmed({0: [0.9, 0.8], 1: [0.8, 0.7]}, (0.85, 0.8))
    assert "test_accuracy 0.8500: as the search saw." in said(found)


@pytest.fixture
def origins():
    """Writes what the trainings of a folder, or one of them, were trained with."""

    def write(folder, *, keras="3.15", **known):
        folder.mkdir(exist_ok=True)
        shared = {"data": "of this seed", "machine": "m", "threads": 1, "unseeded": "1", "code": "a"}
        origin.write(folder, origin.Origin(**shared | known, versions={"keras": keras}))

    return write


def test_other_code_data_or_packages_than_in_the_search_are_told(confirmed, origins):
    found = confirmed({0: [0.8, 0.82], 1: [0.9, 0.91]})
    for number in (0, 1):
        origins(found.sweep.folder / str(number), machine="another", data="of that seed")
    for number in range(4):
        origins(found.anew.folder / str(number))
    assert "Not trained as in the search" not in said(found)
    origins(found.anew.folder / "3", code="b", keras="3.16", unseeded="2")
    assert "may be that and no chance: data 1, now 2; code a, now b; keras 3.15, now 3.16." in said(found)


def test_without_test_data_the_returned_values_decide(confirmed):
    found = confirmed({0: [0.8, 0.82, 0.9], 1: [0.9, 0.91, 0.92]}, metric="value", told=False)
    assert (found.metric, found.tested) == ("value", False)
    assert [row.estimate.mean for row in found.rows] == pytest.approx([0.96, 0.89])


def test_one_candidate_is_compared_with_nothing(confirmed):
    assert "Trial 0 is the only candidate with two finished trainings" in said(confirmed({0: TESTED[0]}))


def test_failed_trainings_are_told_and_not_counted(confirmed):
    found = confirmed({0: [0.9, "DIVERGED", 0.92, "FAILED"], 1: ["DIVERGED", 0.95, "DIVERGED", "DIVERGED"]})
    assert [(row.trial.number, len(row.judged), row.estimate is None) for row in found.rows] == [
        (0, 2, False),
        (1, 1, True),
    ]
    assert "Trial 0: 1 of 4 trainings diverged." in said(found)
    assert "Trial 0: 1 of 4 trainings failed." in said(found)
    assert "Trial 1: 3 of 4 trainings diverged." in said(found)
    assert "only candidate" in said(found)


def test_where_nothing_finished_twice_there_is_no_winner(confirmed):
    found = confirmed({0: ["FAILED", "FAILED"], 1: [0.9]})
    assert "No candidate has two finished trainings" in said(found)
    assert (found.ranked, found.significant) == ([], None)
    conclusion.write(found)
    assert yaml.safe_load((found.anew.folder / "confirmation.yaml").read_text())["winner"] is None


def test_values_that_no_seed_changes_are_not_taken_for_certainty(confirmed):
    found = confirmed({0: [0.9, 0.9, 0.9], 1: [0.8, 0.8, 0.8]})
    assert found.significant is None
    assert "ahead of trial 1 by 10.00 points with every seed alike, which no test can judge" in said(found)
    assert "Every seed gave the same test_accuracy: does the task use `seed` of its config?" in said(found)


def test_level_candidates_are_called_so(confirmed):
    found = confirmed({0: [0.9, 0.8], 1: [0.9, 0.8]})
    assert "Trials 0 and 1 are level with every seed: choose by size or speed." in said(found)


def test_what_is_missing_is_told(confirmed):
    assert "4 of 19 trainings are missing: give the same command again." in said(confirmed(TESTED, missing=4))


def test_an_earlier_meeting_with_the_test_images_is_told(confirmed):
    assert "met once before" not in said(confirmed(TESTED))
    journal = Journal(Path("multirun/monday"))
    journal.write(TrialTested(0, {"test_accuracy": 0.95}, 100, 1900.0))
    journal.close()
    found = verdict.of(record.read(Path("multirun/monday")), record.confirmation(Path("multirun/monday")))
    assert "The test images were met once before, by trial 0 at the sweep's end; that chose nothing." in said(found)
    assert "hydra.sweeper.test=false" in said(found)


def test_the_files_hold_every_training_and_what_they_come_to(confirmed):
    found = confirmed(TESTED)
    conclusion.write(found)
    folder = Path("multirun/monday/confirm")
    with open(folder / "confirmation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert [float(row["test_accuracy"]) for row in rows if row["trial"] == "2"] == TESTED[2]
    assert rows[0]["searched.val_accuracy"] == "0.98"
    told = yaml.safe_load((folder / "confirmation.yaml").read_text())
    assert (told["winner"], told["significant"], told["seeds"]) == (1, False, [1000, 1001, 1002, 1003, 1004])
    assert told["candidates"][0]["test_accuracy"]["mean"] == pytest.approx(0.918)
    assert told["candidates"][0]["by seed"][1002] == 0.93
    assert (folder / "confirmation.png").read_bytes()[:4] == b"\x89PNG"


def test_the_table_fits_eighty_columns(confirmed):
    file = io.StringIO()
    conclusion.show(confirmed(TESTED), Console(file=file, force_terminal=True, width=80, color_system=None))
    title, header, first, *_ = (line for line in file.getvalue().splitlines() if line)
    assert title == "monday: 3 trials, 5 fresh seeds, test_accuracy (higher is better)"
    assert header.split() == ["trial", "search", "fresh", "test", "±", "95%", "p", "seeds", "size", "params"]
    assert first.split()[:7] == ["1", "1", "0.9800", "0.9680", "0.9180", "0.0104", "5"]
    table = file.getvalue().splitlines()[1:7]
    assert max(map(len, table)) <= 80


def test_piped_it_is_a_candidate_a_line_and_the_sentences_are_elsewhere(confirmed, capsys):
    found = confirmed(TESTED)
    conclusion.show(found, Console(file=io.StringIO(), force_terminal=False))
    out, err = capsys.readouterr()
    header, *lines = (line.split("\t") for line in out.splitlines())
    assert tuple(header) == conclusion.FIELDS
    first, second, _ = (dict(zip(header, line, strict=True)) for line in lines)
    assert (first["trial"], first["p"], first["finished"]) == ("1", "", "5")
    assert float(second["p"]) == found.rows[1].p
    assert math.isclose(float(second["behind"]), 0.006)
    assert "which chance explains" in err
    assert "python -m sweeper export" in err or "train 1" in err
