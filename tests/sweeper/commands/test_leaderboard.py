import argparse
import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sweeper.commands import leaderboard
from sweeper.errors import ConfigError, DataError
from sweeper.ranking import standings, table
from sweeper.records import sweeps
from sweeper.records.events import SweepEnded
from sweeper.records.journal import NAME, Journal

PROGRAM = """
import argparse, sys
from sweeper.commands import leaderboard
parser = argparse.ArgumentParser()
leaderboard.add_arguments(parser)
sys.exit(leaderboard.run(parser.parse_args()))
"""


def run(*arguments):
    parser = argparse.ArgumentParser()
    leaderboard.add_arguments(parser)
    return leaderboard.run(parser.parse_args(arguments))


@pytest.fixture
def rows(capsys):
    """The lines that a pipe gets, split into their fields."""

    def rows(*arguments):
        assert run(*arguments) == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    return rows


@pytest.fixture
def on_terminal(tmp_path):
    """What a real terminal of so many columns shows."""

    def on_terminal(columns, *arguments):
        ours, theirs = pty.openpty()
        environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
        subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env=environment, stdout=theirs, check=True)
        os.close(theirs)
        with open(ours, "rb", buffering=0) as terminal:
            shown = terminal.read(65536).decode()
        return shown.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "").split("\r\n")

    return on_terminal


def test_trials_of_all_sweeps_are_ranked_together(write_sweep, rows):
    write_sweep("monday", ("FINISHED", 0.7), ("FAILED",), ("FINISHED", 0.9), ("PRUNED", 0.95))
    write_sweep("tuesday", ("FINISHED", 0.8), top="outputs", started=2000.0)
    assert [(row[0], row[1], row[4], row[10]) for row in rows()] == [
        ("1", "monday/2", "0.9", "FINISHED"),
        ("2", "tuesday/0", "0.8", "FINISHED"),
        ("3", "monday/0", "0.7", "FINISHED"),
        ("", "monday/3", "0.95", "PRUNED"),
        ("", "monday/1", "", "FAILED"),
    ]


def test_a_pipe_gets_every_field_in_full(write_sweep, write_run_ids, rows):
    write_run_ids(write_sweep("monday", ("FINISHED", 0.123456789)), "0123456789abcdef")
    chosen = "hparams.lr=0.001 hparams.dropout=0.25"
    head = ["1", "monday/0", "digits", "val_accuracy", "0.123456789", chosen]
    assert rows() == [[*head, "custom", "12", "309290", "2.5", "FINISHED", "01234567"]]


def test_lower_is_better_where_the_sweep_minimized(write_sweep, rows):
    write_sweep("monday", ("FINISHED", 0.7), ("FINISHED", 0.2), metric="val_loss", directions=("minimize",))
    assert [row[4] for row in rows()] == ["0.2", "0.7"]


def test_what_cannot_be_compared_is_ranked_apart(write_sweep, rows):
    write_sweep("a", ("FINISHED", 0.7), started=3.0)
    write_sweep("b", ("FINISHED", 0.9), started=2.0, facts={"dataset": "cifar10"})
    write_sweep("c", ("FINISHED", 0.1), started=1.0, metric="val_loss", directions=("minimize",))
    assert [row[:4] for row in rows()] == [
        ["1", "a/0", "digits", "val_accuracy"],
        ["1", "b/0", "cifar10", "val_accuracy"],
        ["1", "c/0", "digits", "val_loss"],
    ]


def test_several_objectives_are_ranked_by_the_first_and_all_shown(write_sweep, rows):
    outcomes = ("FINISHED", 0.7, 10.0), ("FINISHED", 0.9, 20.0)
    write_sweep("both", *outcomes, metric="val_accuracy,parameters", directions=("maximize", "minimize"))
    assert [row[4] for row in rows()] == ["0.9 20.0", "0.7 10.0"]


def test_fronts_are_ranked_one_after_the_other_and_the_pareto_front_has_a_star(write_sweep, rows, on_terminal):
    outcomes = ("FINISHED", 0.7, 10.0), ("FINISHED", 0.6, 20.0), ("FINISHED", 0.9, 20.0), ("FINISHED", 0.5, 12.0)
    write_sweep("both", *outcomes, metric="val_accuracy,mflops", directions=("maximize", "minimize"))
    assert [(row[0], row[1]) for row in rows()] == [("1", "both/2"), ("1", "both/0"), ("2", "both/1"), ("2", "both/3")]
    title, _, *shown = on_terminal(100)[:6]
    assert title.startswith("digits, val_accuracy, mflops (higher, lower is better; * Pareto front)")
    assert [line.split()[1] == "*" for line in shown] == [True, True, False, False]


def test_infeasible_trials_and_duplicates_come_after_the_finished_and_have_no_rank(write_sweep):
    folder = write_sweep("monday", ("FINISHED", 0.7), ("FINISHED", 0.9), ("FINISHED", 0.8), ("PRUNED", 0.99))
    journal = folder / NAME
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    for event in events:
        if event["event"] == "TrialEnded" and event["trial"] == 1:
            event["missed"] = {"parameters <= 3": 2.0}
        if event["event"] == "TrialEnded" and event["trial"] == 2:
            event["facts"]["duplicate_of"] = 0
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    (standing,) = standings.of([sweeps.find("monday")])
    assert [(row.rank, row.trial.number) for row in standing.rows] == [(1, 0), (None, 1), (None, 2), (None, 3)]
    assert standing.counts == "1 finished, 1 infeasible, 1 duplicate, 1 pruned"
    assert sweeps.find("monday").best.number == 0


def test_a_failed_trial_is_counted_with_its_sweeps_data_set(write_sweep):
    write_sweep("monday", ("FINISHED", 0.7), ("RUNNING",), ("RUNNING",))
    (standing,) = standings.of([sweeps.find("monday")])
    assert standing.counts == "1 finished, 2 interrupted"


def test_words_that_no_trial_told_are_those_the_sweep_was_started_with(write_sweep, rows):
    write_sweep("monday", ("FINISHED", 0.7), facts={"model": "alexnet"})
    write_sweep("tuesday", ("FAILED",))
    assert {(row[2], row[6]) for row in rows()} == {("digits", "alexnet"), ("digits", "custom")}


@pytest.mark.parametrize(
    ("arguments", "count"), [((), 20), (("--top", "3"), 3), (("--top", "0"), 30), (("--sweep", "few"), 2)]
)
def test_the_number_of_rows_can_be_chosen(write_sweep, rows, arguments, count):
    write_sweep("many", *[("FINISHED", 0.01 * number) for number in range(28)])
    write_sweep("few", ("FINISHED", 0.7), ("FINISHED", 0.2))
    assert len(rows(*arguments)) == count


def test_a_damaged_journal_is_named_and_left_out(write_sweep, capsys):
    write_sweep("good", ("FINISHED", 0.7))
    damaged = write_sweep("bad", ("FINISHED", 0.8)) / NAME
    damaged.write_text(damaged.read_text().replace('{"event":"TrialEnded"', "{{{", 1))
    assert run() == 0
    out, err = capsys.readouterr()
    assert "good/0" in out
    assert "bad" not in out
    assert "multirun/bad/trials.jsonl, line 4 is damaged" in err
    with pytest.raises(DataError, match="line 4"):
        run("--sweep", "bad")


@pytest.mark.parametrize("arguments", [(), ("--sweep", "x"), ("--top", "-1"), ("--csv", "missing/board.csv")])
def test_what_cannot_be_shown_is_an_error_for_the_user(tmp_path, monkeypatch, write_sweep, arguments):
    if arguments:
        write_sweep("monday", ("FINISHED", 0.7))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        run(*arguments)


def test_of_a_sweep_without_trials_it_says_why(write_sweep, capsys):
    journal = Journal(write_sweep("monday"))
    journal.write(SweepEnded("INTERRUPTED", "the user stopped it", None, 1000.0))
    journal.close()
    assert run("--sweep", "monday") == 0
    assert capsys.readouterr().err == "No trial has begun in monday: the user stopped it\n"


def test_the_csv_file_holds_all_trials_in_full_precision(write_sweep, write_run_ids):
    folder = write_sweep("monday", ("FINISHED", 0.1 + 0.2), ("FAILED",), reason='ValueError: "a, b"\nmore')
    write_run_ids(folder, "a" * 32, "b" * 32)
    write_sweep("both", ("FINISHED", 0.5, 7.0), metric="two", directions=("maximize", "minimize"), started=1.0)
    run("--top", "1", "--csv", "board.csv")
    with open("board.csv", newline="") as file:
        best, failed, both = csv.DictReader(file)
    assert float(best["value"]) == 0.1 + 0.2
    assert (best["rank"], best["sweep"], best["trial"], best["state"]) == ("1", "monday", "0", "FINISHED")
    assert (best["params.hparams.lr"], best["facts.parameters"], best["seconds"]) == ("0.001", "309290", "2.5")
    assert (best["run_id"], best["command"], best["folder"]) == ("a" * 32, "train 0", "multirun/monday/0")
    assert (failed["rank"], failed["value"], failed["reason"]) == ("", "", 'ValueError: "a, b"\nmore')
    assert (both["value"], both["value_0"], both["value_1"]) == ("", "0.5", "7.0")


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_the_table_fits_the_terminal(write_sweep, on_terminal, columns):
    write_sweep("2026-11-23_18-40-59", *[("FINISHED", 0.9)] * 3, ("PRUNED", 0.5))
    write_sweep("2026-11-24_18-40-59", *[("FINISHED", 0.8)] * 3)
    shown = on_terminal(columns)
    assert max(map(len, shown)) <= columns
    assert shown[0] == "digits, val_accuracy (higher is better)"
    assert shown[2].startswith("1  2026-11-23_18-40-59/0  custom  0.9000  lr=0.001 ")
    assert len([line for line in shown if "2026-11-2" in line]) == 7
    assert ("finished" in shown[2]) == (columns >= 80)
    assert shown[-3] == "6 finished, 1 pruned"


def test_the_table_of_one_sweep_names_it_once(write_sweep, on_terminal):
    write_sweep("monday", *[("FINISHED", 0.9)] * 3)
    assert on_terminal(80, "--top", "2") == [
        "digits, val_accuracy (higher is better), sweep monday",
        "   trial  model    value  params                 epochs  size   time  state   ",
        "1  0      custom  0.9000  lr=0.001 dropout=0.25      12  309k  2.5 s  finished",
        "2  1      custom  0.9000  lr=0.002 dropout=0.25      12  309k  2.5 s  finished",
        "3 finished (2 rows shown)",
        "",
        "",
    ]


def test_what_looks_like_markup_is_shown_as_it_is(write_sweep, capsys):
    write_sweep("monday", ("FINISHED", 0.9), facts={"model": "[red]net"})
    table.show(standings.of([sweeps.find("monday")])[0], 5, Console(width=80))
    assert "[red]net" in capsys.readouterr().out


def test_what_a_terminal_would_obey_is_spelled_out(write_sweep, on_terminal, rows):
    write_sweep("monday", ("FINISHED", 0.9), metric="acc\x1b[2J", facts={"model": "net\x1b]0;owned\a"})
    shown = on_terminal(120)
    assert "\x1b" not in "".join(shown)
    assert "\a" not in "".join(shown)
    assert any(r"net\x1b]0;owned\x07" in line for line in shown)
    ((*_, metric, _, _, model, _, _, _, _, _),) = rows()
    assert (metric, model) == (r"acc\x1b[2J", r"net\x1b]0;owned\x07")


def test_a_pipe_closed_early_is_no_error(write_sweep):
    write_sweep("monday", *[("FINISHED", 0.9)] * 1500)
    command = [sys.executable, "-c", PROGRAM, "--top", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_nothing_heavy_is_imported(write_sweep):
    write_sweep("monday", ("FINISHED", 0.9))
    heavy = {"tensorflow", "keras", "optuna", "mlflow", "pandas", "numpy", "hydra", "omegaconf"}
    check = PROGRAM.replace("sys.exit(", "assert not (").replace("\n)", ")")
    check += f"\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check, "--csv", "all.csv"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert Path("all.csv").exists()
