"""A sweep of thousands of trials as the coordinator leaves it, without running them."""

from __future__ import annotations

import random
import time

from light import EPOCHS, SPACE, TOP

from sweeper.records.events import EpochReported, SweepEnded, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal


def write(name: str, trials: int) -> None:
    """Its journal, and Optuna's through the study itself."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder, rng, now = TOP / name, random.Random(0), time.time()
    journal = Journal(folder)
    arguments = (*SPACE, f"epochs={EPOCHS}")
    journal.write(SweepStarted(name, "", "value", ("maximize",), trials, None, now, {}, arguments))
    space = {
        "x": FloatDistribution(-1, 1),
        "+lr": FloatDistribution(1e-5, 1e-1, log=True),
        "+dropout": FloatDistribution(0, 0.6),
        "kind": CategoricalDistribution(("round", "flat")),
    }
    frozen = []
    for number in range(trials):
        params = {
            "kind": rng.choice(("round", "flat")),
            "x": rng.uniform(-1, 1),
            "+lr": 10 ** rng.uniform(-5, -1),
            "+dropout": rng.uniform(0, 0.6),
        }
        value = 1 - params["x"] ** 2
        journal.write(TrialStarted(number, 0, params, "python app.py", str(number), now))
        for epoch in range(1, EPOCHS + 1):
            journal.write(EpochReported(number, epoch, value * epoch / EPOCHS, {"height": value}, now))
        journal.write(TrialEnded(number, "FINISHED", (value,), None, {"epochs": EPOCHS}, now + 1))
        curve = {epoch: value * epoch / EPOCHS for epoch in range(1, EPOCHS + 1)}
        frozen.append(
            optuna.trial.create_trial(value=value, params=params, distributions=space, intermediate_values=curve)
        )
    journal.write(SweepEnded("INTERRUPTED", None, 0, now + 2))
    journal.close()
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    optuna.create_study(storage=storage, study_name=name, direction="maximize").add_trials(frozen)
