"""Populations that really train, on digits: kept in MLflow, killed, resumed, looked at and reproduced."""

import re
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from omegaconf import OmegaConf

from sweeper.engine import resume
from sweeper.errors import ConfigError
from sweeper.evolution import life
from sweeper.planning import prospect
from sweeper.records import journal, lineage, record
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.search import space
from sweeper.search.settings import Settings

from ..watched import until

SMALL = ["dataset.train_size=200", "model.filters=4", "trainer.epochs=3", "evolution.every=1", "evolution.members=3"]
COMMAND = [sys.executable, "-m", "sweeper", "-m", "hparams=search", *SMALL, "hydra.sweep.dir=sweep"]


def run(*words):
    done = subprocess.run([sys.executable, "-m", "sweeper", *words], capture_output=True, text=True, timeout=280)
    return done.returncode, done.stdout + done.stderr


def begin(*words):
    return subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module", params=["pbt", pytest.param("pb2", marks=pytest.mark.slow)])
def swept(request, tmp_path_factory):
    """The folder that a whole sweep was typed in, and what it printed."""
    folder = tmp_path_factory.mktemp(request.param)
    done = subprocess.run(
        [*COMMAND, f"+evolution={request.param}", "hydra.sweeper.n_jobs=4"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def runs(folder):
    """Of the trials, by ID; and the sweep's."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (top,) = [run for run in found if "sweeper.trial" not in run.data.tags]
    return {run.info.run_id: run for run in found if run is not top}, top, client


@pytest.mark.slow
def test_each_segment_is_a_trial_that_trains_its_own_epochs(swept):
    folder, printed = swept
    sweep = record.read(folder / "sweep")
    assert "A population of 3 members, each with 3 segments of 1 epoch: a trial is one segment" in printed
    assert "9 trials on 3 slots" in printed  # a fourth would have nothing to do
    places = [lineage.of(trial.params) for trial in sweep.trials]
    assert sorted((place.member, place.segment) for place in places) == [(m, s) for m in range(3) for s in (1, 2, 3)]
    assert {trial.state for trial in sweep.trials} == {"FINISHED"}
    for trial, place in zip(sweep.trials, places, strict=True):
        assert [epoch for epoch, *_ in trial.curve] == [place.segment]
        assert trial.curve[0][2]["learning_rate"] == pytest.approx(trial.params["hparams.lr"], rel=1e-6)
        assert trial.facts[lineage.SCORE] == trial.curve[-1][1]
    assert any(place.is_copy for place in places)
    assert sweep.best.tested
    assert not (folder / "sweep" / lineage.FOLDER).exists()
    assert (folder / "sweep" / "schedule.png").stat().st_size > 10_000


@pytest.mark.slow
def test_its_lineage_are_nested_runs(swept):
    folder, _ = swept
    nested, top, client = runs(folder)
    assert len(nested) == 9
    by_place = {
        (int(run.data.tags["sweeper.member"]), int(run.data.tags["sweeper.segment"])): run for run in nested.values()
    }
    for (_, segment), run in by_place.items():
        within = run.data.tags["mlflow.parentRunId"]
        assert run.data.tags["sweeper.root"] == top.info.run_id
        if segment == 1:
            assert within == top.info.run_id
        else:
            assert within == by_place[int(run.data.tags["sweeper.parent"]), segment - 1].info.run_id
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "val_accuracy")]
        assert steps == [segment]
        assert run.info.status == "FINISHED"
    assert "schedule.png" in [artifact.path for artifact in client.list_artifacts(top.info.run_id)]


@pytest.mark.slow
def test_what_looks_at_a_sweep_looks_at_a_population(swept, monkeypatch):
    folder, _ = swept
    monkeypatch.chdir(folder)
    assert run("report", "--sweep", "sweep")[0] == 0
    page = Path("sweep/report.html").read_text()
    assert "goes on from the state" in page or "went on from the state" in page
    for words in (["leaderboard"], ["best"], ["status", "--once"], ["map"]):
        code, told = run(words[0], *(["sweep"] if words[0] == "status" else ["--sweep", "sweep"]), *words[1:])
        assert code == 0, told
        assert "confirm" not in told
    code, told = run("confirm", "--sweep", "sweep")
    assert code == 2
    assert "cannot be trained anew with fresh seeds" in told
    nested, *_ = runs(folder)
    code, told = run("replay", "sweep")
    assert code == 0, told
    assert runs(folder)[0].keys() == nested.keys()


@pytest.mark.slow
def test_the_best_segment_is_reproduced_with_its_ancestors(swept, monkeypatch):
    folder, _ = swept
    monkeypatch.chdir(folder)
    sweep = record.read(Path("sweep"))
    last = next(trial for trial in sweep.trials if lineage.of(trial.params).segment == 3)
    code, told = run("reproduce", f"sweep/{last.number}")
    assert code == 0, told
    assert told.count("which it goes on from") == 2
    assert "Identical in all 1 epochs." in told
    words = last.command.split()[3:]
    code, told = run(*words)
    assert code == 2
    assert "python -m sweeper reproduce SWEEP/NUMBER" in told


def ended():
    return [event for event in journal.read(Path("sweep")) if isinstance(event, TrialEnded)]


@pytest.mark.slow
def test_a_killed_population_goes_on_and_trains_no_segment_twice(project):
    process = begin("+evolution=pbt", "trainer.epochs=4")
    until(lambda: Path("sweep", journal.NAME).exists() and len(ended()) >= 4)
    process.kill()
    process.communicate()
    before = {trial.number: trial for trial in record.read(Path("sweep")).trials}
    assert len(before) < 12
    process = begin("+evolution=pbt", "trainer.epochs=4", "hydra.sweeper.resume=sweep")
    out, _ = process.communicate(timeout=280)
    assert process.returncode == 0, out
    trials = record.read(Path("sweep")).trials
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state for trial in trials} == {"FINISHED"}
    places = Counter((place.member, place.segment) for trial in trials if (place := lineage.of(trial.params)))
    assert places == Counter((member, segment) for member in range(3) for segment in (1, 2, 3, 4))
    starts = Counter(event.trial for event in journal.read(Path("sweep")) if isinstance(event, TrialStarted))
    finished = {number for number, trial in before.items() if trial.state == "FINISHED"}
    assert {starts[number] for number in finished} == {1}
    for number, trial in before.items():
        assert trials[number].params == trial.params
    nested, top, _ = runs(Path.cwd())
    assert top.info.status == "FINISHED"
    assert Counter(run.info.status for run in nested.values())["FINISHED"] == 12
    assert not Path("sweep", lineage.FOLDER).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.filters=4,8"], "model.filters cannot be searched by a population"),
        (["model=custom,alexnet"], "all of its members have the same config groups"),
        (["hydra.sweeper.n_trials=7"], "3 members of 3 segments (trainer.epochs=3, evolution.every=1) are 9 trials"),
        (["evolution.every=2"], "trainer.epochs=3 is no multiple of evolution.every=2"),
        (["evolution.members=1"], "evolution.members=1: give a whole number from 2."),
        (["trainer.patience=2"], "Give trainer.patience=null"),
        (["hydra/sweeper/pruner=asha"], "hydra/sweeper/pruner=asha: a population proposes the trials"),
        (["hydra.sweeper.enqueue=[{hparams.dropout:0}]", "hparams.dropout=interval(0,0.5)"], "hparams.dropout=0, but"),
        (["hydra.sweeper.enqueue=[{},{},{},{hparams.lr:1e-3}]"], "4 trials, but the population has 3 members"),
        (["hydra.sweeper.confirm=2"], "cannot be trained anew with fresh seeds"),
        (["optimized_metric=[val_accuracy,parameters]", "hydra.sweeper.direction=[maximize,minimize]"], "one value"),
    ],
)
def test_what_a_population_cannot_do_is_refused(words, message, tmp_path):
    given = tuple(f"{word.split('=')[0]}=" for word in words)
    small = [word for word in SMALL if not word.startswith(given)]
    with pytest.raises(ConfigError, match=re.escape(message)):
        prospect.read(["hparams=search", "+evolution=pbt", *small, *words], tmp_path)


@pytest.mark.parametrize("value", ["genetic", 3, [1, 2], None, {"rate": 0.1}])
def test_an_evolution_of_somebody_else_is_no_population(value):
    config = OmegaConf.create({"evolution": value})
    assert life.of(Settings(None, None, None), space.Space((), {}, (), dict), config, ours=False) is None


def test_a_population_that_is_complete_is_not_told_to_give_more(tmp_path):
    started = SweepStarted("sweep", "python -m sweeper -m", "val_accuracy", ("maximize",), 1, None, 0.0)
    with closing(journal.Journal(tmp_path)) as file:
        file.write(started)
        file.write(TrialStarted(0, 0, lineage.Place(0, 1).params, "", "0", 0.0))
        file.write(TrialEnded(0, "FINISHED", (0.5,), None))
        file.write(SweepEnded("FINISHED", None, 0, 0.0))
    with pytest.raises(ConfigError, match=r"its 1 trials. Its population is complete. .* hydra.sweeper.enqueue="):
        resume.earlier(tmp_path, started)


def test_what_is_refused_leaves_nothing(project):
    process = begin("+evolution=pbt", "model.filters=4,8")
    told, _ = process.communicate(timeout=280)
    assert process.returncode == 2
    assert "model.filters cannot be searched by a population" in told
    assert not Path("sweep").exists()


def test_the_plan_of_a_population_is_that_of_its_members(tmp_path):
    assert prospect.read(["hparams=search", "+evolution=pb2", *SMALL], tmp_path).n_trials == 3


@pytest.mark.slow
def test_a_population_that_lost_all_its_states_ends_and_says_so(project):
    words = [word for word in SMALL if word != "trainer.epochs=3"]
    explosive = ["hparams.lr=interval(1e15, 1e16)", "hparams.dropout=0.1", "hparams.weight_decay=0"]
    ending = ["trainer.epochs=2", "optimizer=sgd", "hydra.sweeper.max_failure_rate=1", "hydra.sweep.dir=sweep"]
    code, told = run("-m", "+evolution=pbt", *words, *explosive, *ending)
    assert code == 0, told
    sweep = record.read(Path("sweep"))
    assert [trial.state for trial in sweep.trials] == ["DIVERGED"] * 3
    assert "none could go on" in sweep.ended.reason
