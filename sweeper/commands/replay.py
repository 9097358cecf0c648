"""`python -m sweeper replay`: MLflow gets what it lacks of a sweep: it was away, or the coordinator was killed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from sweeper.errors import ConfigError
from sweeper.records import journal, jsonl, record, sweeps
from sweeper.records.events import Event, SweepEnded, SweepStarted
from sweeper.records.journal import Journal
from sweeper.records.record import Sweep
from sweeper.secret import without_credentials
from sweeper.tracking import store
from sweeper.tracking.ledger import Ledger
from sweeper.tracking.run_store import RunStore
from sweeper.tracking.runs import Runs

KILLED = "its process was lost"  # why a sweep ended that has no end in its journal


@dataclass(frozen=True)
class Replayed:
    runs: int  # the sweep's own and one an attempt of a trial
    created: int
    completed: int  # had been begun
    refused: tuple[str, ...]  # why, one a write


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Writes to MLflow what it lacks of a sweep and of its confirmation, from the sweep's folder. What MLflow has "
        "already stays as it is: a second time adds nothing."
    )
    parser.add_argument("sweep", metavar="SWEEP", help="its ID, the name of its folder, or a path")
    parser.add_argument(
        "--uri", help=f"MLflow's address (default: MLFLOW_TRACKING_URI, else the sweep's own, else {store.DEFAULT})"
    )
    parser.add_argument("--experiment", metavar="NAME", help="default: the sweep's own")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, it runs now, or MLflow is away; DataError if it is damaged."""
    sweep = sweeps.find(args.sweep)
    if journal.in_use(sweep.folder):
        raise ConfigError(f"{sweep.folder} is in use: the sweep runs, and MLflow gets it meanwhile. Wait for its end.")
    known = store.remembered(sweep.folder)
    uri = store.absolute(args.uri) if args.uri else store.resolve(known.get("uri"))
    experiment = args.experiment or known.get("experiment") or sweep.started.choices.get("dataset", "sweeper")
    both = [sweep, *filter(None, [record.confirmation(sweep.folder)])]
    with ExitStack() as held:
        for one in both:
            held.enter_context(closing(Journal(one.folder)))  # nobody goes on with it meanwhile
        replayed = [replay(one.folder, experiment=experiment, uri=uri) for one in both]
        logged, trouble = _log_best(sweep, uri)
    for one, found in zip(both, replayed, strict=True):
        print(_told(one, uri, found, logged and one is sweep))
    refused = [why for found in replayed for why in found.refused]
    if refused:
        trouble = f"MLflow refused {len(refused)} writes, the first because: {refused[0]}"
    if trouble:
        print(f"\n{trouble}", file=sys.stderr)
    return 1 if trouble else 0


def replay(folder: Path, *, experiment: str, uri: str) -> Replayed:
    """Raises: ConfigError if MLflow cannot be reached, DataError if journal or ledger are damaged."""
    try:
        client, experiment_id = store.connect(uri, experiment)
        ledger = Ledger(folder)
        runs = RunStore(client, experiment_id, ledger)
        refused = _write(Runs(runs, folder, live=False), folder)
    except Exception as error:
        if not store.is_temporary(error):
            raise
        raise ConfigError(
            f"MLflow at {without_credentials(uri)} cannot be reached: {store.describe(error)}\n"
            "Start it, or give another --uri. What it has got by now will not be written again."
        ) from error
    return Replayed(len(ledger), len(runs.created), len(runs.written - runs.created), tuple(refused))


def _write(runs: Runs, folder: Path) -> list[str]:
    """Why MLflow refused what it did not take. Raises: what `store.is_temporary` knows."""
    refused = []
    events = sum(1 for _ in jsonl.lines(folder / journal.NAME))
    for event in track(_events(folder, runs), "Writing to MLflow", events, transient=True):
        try:
            runs.write(event)
        except Exception as error:
            if store.is_temporary(error):
                raise
            refused.append(store.describe(error))
    return refused


def _events(folder: Path, runs: Runs) -> Iterator[Event]:
    """As if the sweep had run in one go: one end, the last."""
    end = None
    for event in journal.read(folder, epochs=runs.lacks_epochs):
        if isinstance(event, SweepEnded):
            end = event
            continue
        if isinstance(event, SweepStarted):
            end = None
        yield event
    yield end or _killed(folder)


def _killed(folder: Path) -> SweepEnded:
    """The end of a sweep that nobody could write, at the time of its last event."""
    path = folder / journal.NAME
    ((number, line),) = deque(jsonl.lines(path), maxlen=1)
    best = record.read(folder, curves=False).best
    return SweepEnded("INTERRUPTED", KILLED, best and best.number, jsonl.parse(path, number, line)["time"])


def _log_best(sweep: Sweep, uri: str) -> tuple[bool, str | None]:
    """Whether the network of the best trial was logged now, and what went wrong. Only a sweep that finished does so,
    and no confirmation."""
    best, ended = sweep.best, sweep.ended and sweep.ended.state == "FINISHED"
    if not (best and best.model.exists() and ended) or record.is_confirmation(sweep.folder):
        return False, None
    from mlflow import MlflowClient

    try:
        run_id = record.run_ids(sweep.folder)[best.number]
        if MlflowClient(tracking_uri=uri).get_run(run_id).outputs.model_outputs:
            return False, None
        from sweeper.tracking import model_log  # TensorFlow takes ten seconds

        model_log.log_best(run_id, uri, best.folder)
    except Exception as error:
        return False, f"The best network, in {best.folder}, was not logged to MLflow: {store.describe(error)}"
    return True, None


def _told(sweep: Sweep, uri: str, replayed: Replayed, logged: bool) -> str:
    where = f"MLflow at {without_credentials(uri)}"
    if not (replayed.created or replayed.completed or logged):
        return f"Sweep {sweep.id}: {where} has all {replayed.runs} runs of it; nothing was added."
    network = ", and the best network" if logged else ""
    return (
        f"Sweep {sweep.id}: {replayed.runs} runs in {where}, {replayed.created} of them new, "
        f"{replayed.completed} completed{network}."
    )
