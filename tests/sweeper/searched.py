"""A sweep with trials of every kind, as a coordinator leaves it: by the real Journal and a real study of Optuna's."""

import random
from pathlib import Path

import optuna

from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted, TrialTested
from sweeper.records.journal import Journal
from sweeper.search.study_journal import StudyJournal

KINDS = ("FINISHED",) * 6 + ("PRUNED",) * 3 + ("DIVERGED",)
FACTS = {"model": "custom", "dataset": "digits", "parameters": 309290, "epochs": 4}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def write(
    folder: Path,
    trials: int,
    *,
    directions=("maximize",),
    metric="val_accuracy",
    ended=True,
    misses=False,
    tested=False,
    sized=False,
) -> Path:
    """Its models have a width of their own or none: a conditional space. misses: every third trial a constraint.

    sized: networks of 10 ** 3 to 10 ** 6 parameters.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal, rng, sizes = Journal(folder), random.Random(0), random.Random(1)
    choices = {"model": "custom", "dataset": "digits"}
    command = "python -m sweeper -m model=custom,alexnet hparams=search"
    journal.write(SweepStarted(folder.name, command, metric, directions, trials, "c0ffee", 1e9, choices))
    storage = StudyJournal(folder / "study.journal")
    study = optuna.create_study(
        storage=storage, study_name=folder.name, directions=directions, sampler=optuna.samplers.RandomSampler(0)
    )
    for number in range(trials):
        trial = study.ask()
        params = {
            "model": trial.suggest_categorical("model", ("custom", "alexnet")),
            "hparams.lr": trial.suggest_float("hparams.lr", 1e-4, 1e-1, log=True),
            "trainer.batch_size": trial.suggest_categorical("trainer.batch_size", (32, 64)),
        }
        if params["model"] == "custom":
            params["model.width"] = trial.suggest_int("model.width@custom", 8, 64)
        state = KINDS[number % len(KINDS)] if number else "FINISHED"
        now = 1e9 + 10 * number
        journal.write(TrialStarted(number, 0, params, f"python -m sweeper trial={number}", str(number), now))
        if not ended and number == trials - 1:
            break
        value = 1 - abs(params["hparams.lr"] - 0.01) + rng.uniform(0, 0.01)
        for epoch in range(1, 5):
            metrics = {"loss": 2 / epoch, "val_loss": 2.1 / epoch, "val_accuracy": value * epoch / 4}
            journal.write(EpochReported(number, epoch, value * epoch / 4, metrics, now + epoch))
        values = (value, 100 * params["hparams.lr"], *[rng.random()] * 2)[: len(directions)]
        reason = None if state == "FINISHED" else f"why trial {number % 2} is {state.lower()}\nand more of it"
        missed = {"parameters <= 3": 2.0} if misses and number % 3 == 0 and state == "FINISHED" else {}
        told = values if state in ("FINISHED", "PRUNED") else None
        size = 10 ** sizes.uniform(3, 6)
        facts = FACTS | ({"parameters": int(size), "mflops": size / 1e4} if sized else {})
        journal.write(TrialEnded(number, state, told, reason, facts, now + 5, missed))
        study.tell(
            trial,
            values if state == "FINISHED" else None,
            state=None if state == "FINISHED" else optuna.trial.TrialState.FAIL,
        )
    if tested:
        journal.write(TrialTested(0, {"test_accuracy": 0.97, "test_loss": 0.1}, 297, 2e9))
    if ended:
        journal.write(SweepEnded("FINISHED", None, 0, 2e9))
    journal.close()
    return folder


def meet_test_images(folder: Path, picture: bytes = PNG) -> None:
    """What the test of a network leaves in its trial's folder."""
    (folder / "pictures").mkdir(parents=True)
    for name in ("confusion.png", "classes.png", "predictions.png", "curves.png"):
        (folder / "pictures" / name).write_bytes(picture)
    (folder / "test.yaml").write_text(
        "images: 297\nmetrics: {test_accuracy: 0.97, test_loss: 0.1}\nclass_accuracy: {zero: 0.99, one: null}\n"
    )
