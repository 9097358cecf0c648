"""Whole confirmations: of the light task, killed and grown, and of networks by the command `confirm`."""

import argparse
import csv
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sweeper.app import main
from sweeper.commands import best, confirm
from sweeper.ranking import atlas, axes
from sweeper.records import journal, record, sweeps
from sweeper.records.events import TrialEnded, TrialStarted

from ..ranking.test_atlas import sized
from ..watched import GATED, LATE, ONE_SLOT, PATIENCE, X, let_through, mlflow_client, study, trials, until

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "own_project"
CONFIRM = Path("sweep/confirm")
LIGHT = (X, "hydra/sweeper/pruner=none", "noise=0.01", "hydra.sweeper.n_trials=4")
ANEW = ("hydra.sweeper.resume=sweep", "hydra.sweeper.n_trials=0")


def confirming(top, seeds):
    return f"hydra.sweeper.confirm={top}", f"hydra.sweeper.confirm_seeds={seeds}"


def told():
    """The events of the confirmation."""
    return list(journal.read(CONFIRM)) if (CONFIRM / journal.NAME).exists() else []


def pairs(found):
    """Candidate and seed of each training."""
    return Counter((training.params["candidate"], training.params["seed"]) for training in found)


def test_a_sweep_ends_with_its_best_trained_anew(sweep):
    code, output = sweep(*LIGHT, *confirming(2, 3))
    assert code == 0, output
    searched, confirmed = record.read(Path("sweep")), record.read(CONFIRM)
    best = [trial.number for trial in searched.ranked()[:2]]
    assert pairs(confirmed.trials) == {(number, seed): 1 for number in best for seed in (1000, 1001, 1002)}
    assert {training.state for training in confirmed.trials} == {"FINISHED"}
    for training in confirmed.trials:
        assert f"seed={training.params['seed']}" in training.command
        assert training.params["x"] == searched.trials[training.params["candidate"]].params["x"]
        assert (training.folder / ".hydra").is_dir()
    assert len({training.values for training in confirmed.trials}) == 6
    assert confirmed.ended.state == "FINISHED"
    assert (len(searched.trials), len(study().trials)) == (4, 4)
    assert "Confirms trials" in output
    assert "is ahead of trial" in output


@pytest.mark.slow
def test_a_confirmation_has_a_run_of_its_own_and_is_no_sweep_on_the_leaderboard(sweep):
    code, output = sweep(*LIGHT, *confirming(2, 2), "hydra.sweep.dir=multirun/monday")
    assert code == 0, output
    assert [folder.name for folder in sweeps.all()] == ["monday"]
    confirmed = record.read(Path("multirun/monday/confirm"))
    client = mlflow_client()
    parent = client.get_run(confirmed.run_id)
    assert (parent.info.run_name, parent.info.status) == ("monday/confirm", "FINISHED")
    files = {file.path for file in client.list_artifacts(confirmed.run_id)}
    assert {"confirmation.csv", "confirmation.yaml", "confirmation.png", "trials.jsonl"} <= files
    for training in confirmed.trials:
        run = client.get_run(training.run_id)
        assert run.data.tags["mlflow.parentRunId"] == confirmed.run_id
        assert run.data.params["candidate"] == str(training.params["candidate"])
    assert confirmed.run_id != record.read(Path("multirun/monday")).run_id


@pytest.mark.slow
def test_what_was_killed_goes_on_and_more_is_added(sweep, start):
    """Kill -9 in the middle, the same command again, then more candidates and seeds, then nothing that lacks."""
    task = (*LIGHT, GATED)
    let_through(0, 1, 2, 3)  # of the search, and of the confirmation
    assert sweep(*task)[0] == 0
    process = start(*task, *ANEW, *confirming(2, 3))
    until(lambda: sum(isinstance(event, TrialEnded) for event in told()) >= 2)
    process.kill()
    process.wait()
    let_through(*range(12))
    ended = {event.trial for event in told() if isinstance(event, TrialEnded)}
    code, output = sweep(*task, *ANEW, *confirming(2, 3))
    assert code == 0, output
    starts = Counter(event.trial for event in told() if isinstance(event, TrialStarted))
    assert all(starts[number] == 1 for number in ended)
    first = pairs(record.read(CONFIRM).trials)
    assert len(first) == 6
    assert set(first.values()) == {1}

    code, output = sweep(*task, *ANEW, *confirming(3, 4))
    assert code == 0, output
    grown = pairs(record.read(CONFIRM).trials)
    assert (len(grown), set(grown.values())) == (12, {1})
    assert grown.keys() > first.keys()
    again = Counter(event.trial for event in told() if isinstance(event, TrialStarted))
    assert all(again[number] == starts[number] for number in starts)

    before = (CONFIRM / journal.NAME).read_bytes()
    code, output = sweep(*task, *ANEW, *confirming(3, 4))
    assert code == 0, output
    assert (CONFIRM / journal.NAME).read_bytes() == before
    assert "is ahead of trial" in output


@pytest.mark.slow
def test_trials_can_be_named(sweep):
    assert sweep(*LIGHT)[0] == 0
    code, output = sweep(*LIGHT, *ANEW, *confirming("[3,1]", 2))
    assert code == 0, output
    assert set(pairs(record.read(CONFIRM).trials)) == {(number, seed) for number in (1, 3) for seed in (1000, 1001)}


def test_a_new_sweep_has_no_trials_to_name(sweep):
    code, output = sweep(*LIGHT, *confirming("[3,1]", 2))
    assert code == 2
    assert "hydra.sweeper.confirm=[3, 1] names trials, and a new sweep has none" in output
    assert not Path("sweep").exists()


def test_the_elites_of_a_map_are_named_to_the_sweep(write_sweep):
    folder = write_sweep("monday", ("FAILED",))
    sized(folder, 30)
    monday = record.read(folder)
    named = confirm._elites(monday)
    assert set(named) == {trial.number for _, trial in atlas.of(monday, axes.of(monday)).elites}
    assert confirm._words(named[:2], 3)[1:] == list(confirming(f"[{named[0]},{named[1]}]", 3))


def cut(path, kind):
    """The journal before its last event of this kind: where the process was killed."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = max(number for number, line in enumerate(lines) if line.startswith(b'{"event":"%s"' % kind))
    path.write_bytes(b"".join(lines[:place]))


@pytest.mark.slow
def test_what_was_killed_after_its_last_training_is_concluded(sweep):
    assert sweep(*LIGHT, *confirming(2, 2))[0] == 0
    cut(CONFIRM / journal.NAME, b"SweepEnded")
    for file in CONFIRM.glob("confirmation.*"):
        file.unlink()
    starts = sum(isinstance(event, TrialStarted) for event in told())
    code, output = sweep(*LIGHT, *ANEW, *confirming(2, 2))
    assert code == 0, output
    assert "is ahead of trial" in output
    assert {file.suffix for file in CONFIRM.glob("confirmation.*")} == {".csv", ".yaml", ".png"}
    confirmed = record.read(CONFIRM)
    assert confirmed.ended.state == "FINISHED"
    assert sum(isinstance(event, TrialStarted) for event in told()) == starts
    assert mlflow_client().get_run(confirmed.run_id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_replay_takes_the_confirmation_along(sweep):
    assert sweep(*LIGHT, *confirming(2, 2))[0] == 0
    cut(CONFIRM / journal.NAME, b"SweepEnded")
    (CONFIRM / record.RUNS).unlink()
    replay = [sys.executable, "-m", "sweeper", "replay", "sweep", "--experiment", "anew"]
    done = subprocess.run(replay, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Sweep sweep/confirm: 5 runs in MLflow" in done.stdout
    confirmed = record.read(CONFIRM)
    assert mlflow_client().get_run(confirmed.run_id).info.status == "KILLED"
    assert {mlflow_client().get_run(one.run_id).info.status for one in confirmed.trials} == {"FINISHED"}


@pytest.mark.slow
def test_a_pipe_gets_the_table_of_a_confirmation_alone(start):
    process = start(*LIGHT)
    process.communicate(timeout=PATIENCE)
    process = start(*LIGHT, *ANEW, *confirming(2, 2))
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert [line.split("\t")[0] for line in out.splitlines()] == ["rank", "1", "2"]
    assert "Confirms trials" in err
    assert "Sweep sweep/confirm: 4 trials" in err


@pytest.mark.slow
def test_a_sweep_that_was_stopped_is_confirmed_without_being_searched_on(sweep, start):
    task = (X, "pause=0.2", "hydra.sweeper.n_trials=100", "hydra/sweeper/pruner=none", ONE_SLOT)
    process = start(*task)
    until(lambda: sum(trial.state == "FINISHED" for trial in trials_begun()) >= 2)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    before = Path("sweep", journal.NAME).read_bytes()
    code, output = sweep(*task, *ANEW, *confirming(2, 2))
    assert code == 0, output
    assert Path("sweep", journal.NAME).read_bytes() == before
    assert len(record.read(CONFIRM).trials) == 4
    assert "Every seed gave the same value" in output


def trials_begun():
    return trials() if Path("sweep", journal.NAME).exists() and Path("sweep", journal.NAME).stat().st_size else ()


@pytest.mark.slow
def test_a_timeout_ends_the_search_and_not_its_confirmation(start):
    task = (X, GATED, "hydra.sweeper.n_trials=100", "hydra/sweeper/pruner=none", "hydra.sweeper.timeout=3600")
    let_through(0, 1)
    process = start(*task, *confirming(2, 2), program=(str(LATE),))
    until(lambda: len(trials_begun()) == 4)
    Path("late").write_text("3600")
    let_through(2, 3)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    assert [trial.state for trial in trials()] == ["FINISHED"] * 4
    assert [training.state for training in record.read(CONFIRM).trials] == ["FINISHED"] * 4


def test_only_a_confirmation_asks_a_task_for_test_values(sweep):
    code, output = sweep(*LIGHT, "judges=true", *confirming(2, 2))
    assert code == 0, output
    assert all("test_value" not in trial.facts for trial in trials())
    confirmed = record.read(CONFIRM)
    assert all(training.facts["test_value"] == training.values[0] - 1 for training in confirmed.trials)
    assert yaml.safe_load((CONFIRM / "confirmation.yaml").read_text())["metric"] == "test_value"


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The folder of a sweep of two networks that ends with a confirmation; what the command made of it; it again."""
    here = tmp_path_factory.mktemp("networks")
    space = ["hparams.lr=1e-2,1e-5", "hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none"]
    small = ["dataset.train_size=300", "trainer.epochs=1", "model.filters=4", "hydra.sweep.dir=multirun/monday"]
    sweep = ["-m", *space, *small, "hydra.sweeper.n_jobs=2", *confirming(2, 2)]
    done = [
        subprocess.run([sys.executable, "-m", "sweeper", *arguments], cwd=here, capture_output=True, text=True)
        for arguments in (sweep, ["confirm", "--top", "2", "--seeds", "3"], ["confirm", "--top", "2", "--seeds", "3"])
    ]
    assert [one.returncode for one in done] == [0, 0, 0], "".join(one.stdout + one.stderr for one in done)
    return here / "multirun" / "monday", done


@pytest.mark.slow
def test_the_command_adds_what_lacks_to_the_confirmation_at_a_sweeps_end(networks):
    folder, _ = networks
    confirmed = record.read(folder / "confirm")
    assert pairs(confirmed.trials) == {(number, seed): 1 for number in (0, 1) for seed in (1000, 1001, 1002)}
    assert {training.state for training in confirmed.trials} == {"FINISHED"}
    assert [training.params["seed"] for training in confirmed.trials] == [1000, 1000, 1001, 1001, 1002, 1002]
    assert len(record.read(folder).trials) == 2


@pytest.mark.slow
def test_the_best_within_budgets_is_told_with_its_confirmed_accuracy(networks, capsys):
    best.run(argparse.Namespace(sweep=str(networks[0]), max=["parameters=1e6"]))
    told = capsys.readouterr().out
    assert re.search(r"confirmed: test_accuracy 0\.\d+ ± 0\.\d+, 3 fresh seeds\n", told)
    assert re.search(r"\npython -m sweeper export \S+/\d\n$", told)


@pytest.mark.slow
def test_the_confirmation_is_the_first_to_meet_the_test_images(networks):
    folder, done = networks
    for trial in record.read(folder).trials:
        assert trial.tested is None
        assert "test_accuracy" not in trial.facts
    assert "met once before" not in done[0].stdout + done[0].stderr


@pytest.mark.slow
def test_every_training_is_judged_on_the_test_images(networks):
    import keras
    import numpy as np

    from sweeper.datasets import digits

    folder, _ = networks
    trainings = [training for training in record.read(folder / "confirm").trials if training.model.exists()]
    assert len(trainings) == 5  # hydra.sweeper.keep_models
    data = digits.load(seed=trainings[0].params["seed"], train_size=300)
    images = (data.test.images - np.float32(data.mean)) / np.float32(data.std)
    answers = keras.models.load_model(trainings[0].model)(images).numpy().argmax(axis=1)
    assert trainings[0].facts["test_accuracy"] == pytest.approx((answers == data.test.labels).mean())
    assert trainings[0].facts["val_accuracy"] == trainings[0].values[0]


@pytest.mark.slow
def test_the_verdict_is_printed_again_where_nothing_lacks(networks):
    folder, done = networks
    header, *lines = (line.split("\t") for line in done[2].stdout.splitlines())
    assert header[:3] == ["rank", "trial", "metric"]
    assert [line[2] for line in lines] == ["test_accuracy"] * 2
    winner = yaml.safe_load((folder / "confirm" / "confirmation.yaml").read_text())["winner"]
    assert int(lines[0][1]) == winner
    for words in (f"Trial {winner} is ahead of trial {1 - winner} by", "in the search", f"export monday/{winner}"):
        assert words in done[2].stderr
    with open(folder / "confirm" / "confirmation.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6


@pytest.mark.slow
def test_mlflow_has_the_test_accuracy_of_every_training(networks, monkeypatch):
    folder, _ = networks
    monkeypatch.chdir(folder.parents[1])
    confirmed, client = record.read(folder / "confirm"), mlflow_client()
    for training in confirmed.trials:
        run = client.get_run(training.run_id)
        assert run.data.metrics["test_accuracy"] == pytest.approx(training.facts["test_accuracy"])
        assert run.data.params["seed"] == str(training.params["seed"])
        assert run.data.tags["mlflow.parentRunId"] == confirmed.run_id


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["model.filters=8"], "model.filters=8 is no setting of hydra."),
        (["--sweep", "brought"], "--config-dir multirun/brought -m"),
        (["--top", "0"], "--top 0: give the number of trials"),
        (["--seeds", "1"], "--seeds 1: one training shows no chance"),
        (["--sweep", "nowhere"], "No sweep is called nowhere"),
        (["--sweep", "bad"], "no finished trial among its 1"),
        (["--sweep", "theirs"], "python app.py -m x=1,2 hydra.sweeper.resume="),
    ],
)
def test_what_cannot_be_confirmed_is_refused_in_a_sentence(arguments, complaint, write_sweep, monkeypatch, capsys):
    write_sweep("bad", ("FAILED",))
    folder = write_sweep("theirs", ("FINISHED", 0.9))
    theirs = folder / journal.NAME
    theirs.write_text(
        theirs.read_text().replace("python -m sweeper -m", "python app.py -m x=1,2 hydra.sweep.dir=there")
    )
    brought = write_sweep("brought", ("FINISHED", 0.9), started=1.0) / journal.NAME
    brought.write_text(brought.read_text().replace("sweeper -m", "sweeper --config-dir multirun/brought -m"))
    monkeypatch.setattr(sys, "argv", ["sweeper", "confirm", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_setting_that_a_journal_names_is_not_typed_again(write_sweep, monkeypatch, capsys):
    """A sweep's folder may be a stranger's, and Hydra calls what its own settings name."""
    theirs = write_sweep("theirs", ("FINISHED", 0.9)) / journal.NAME
    typed = '"arguments":["hydra.callbacks.theirs._target_=os.abort"]'
    theirs.write_text(theirs.read_text().replace('"arguments":[]', typed))
    monkeypatch.setattr(sys, "argv", ["sweeper", "confirm"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "'hydra.callbacks.theirs._target_=os.abort' was typed" in capsys.readouterr().err


def test_where_no_sweep_lies_none_is_confirmed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sweeper", "confirm"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "No sweep lies below" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([X, "hydra.sweeper.confirm=0"], "hydra.sweeper.confirm=0: give a whole number of at least 1"),
        ([X, "hydra.sweeper.confirm_seeds=1"], "hydra.sweeper.confirm_seeds=1: give a whole number of at least 2"),
        ([X, "hydra.sweeper.confirm=1", "~seed"], "the config has no key `seed`"),
        ([X, "hydra.sweeper.confirm=1", "hydra.sweeper.n_trials=0"], "give a whole number of at least 1"),
    ],
)
def test_a_confirmation_that_cannot_be_is_refused_before_the_search(sweep, arguments, complaint):
    code, output = sweep(*arguments)
    assert code == 2
    assert complaint in output
    assert not Path("sweep").exists()


@pytest.mark.slow
def test_a_project_of_ones_own_is_confirmed_with_its_own_configs_and_meets_the_test_images_first(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("multirun", "outputs", "__pycache__"))
    small = ["trainer.epochs=1", "dataset.images=150", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=multirun/monday"]
    sweep = ["--config-dir", "conf", "-m", "+experiment=shapes", "hparams=search", "hydra.sweeper.test=false", *small]
    done = [
        subprocess.run([sys.executable, "-m", "sweeper", *arguments], cwd=project, capture_output=True, text=True)
        for arguments in (sweep, ["confirm", "--top", "2", "--seeds", "2"])
    ]
    assert [one.returncode for one in done] == [0, 0], "".join(one.stdout + one.stderr for one in done)
    assert "python -m sweeper export best --sweep monday --allow own_project.\n" in done[0].stdout
    assert "python -m sweeper confirm --sweep monday\n" in done[0].stdout
    assert not [trial for trial in record.read(project / "multirun" / "monday").trials if trial.tested]
    assert len(record.read(project / "multirun" / "monday" / "confirm").finished) == 4
    assert "test images were met" not in done[1].stderr
    assert "Not trained as in the search" not in done[1].stderr
    (exporting,) = (line.strip() for line in done[1].stderr.splitlines() if "sweeper export monday/" in line)
    assert exporting.endswith("--allow own_project.")
