"""Which sweeps and single runs lie on the disk, and the trial that somebody names by ID, number or MLflow run."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from pathlib import Path

from sweeper import text
from sweeper.errors import ConfigError, DataError
from sweeper.records import journal, record
from sweeper.records.record import Sweep, Trial

TOPS = ("multirun", "outputs")  # sweeps, single runs: hydra.sweep.dir and hydra.run.dir in conf/config.yaml
SHORTEST_RUN_ID = 6  # characters of an MLflow run ID that are enough to name it


def all(root: Path = Path(".")) -> list[Path]:
    """The folders below `multirun/` and `outputs/` that hold a journal, those started last first."""
    found = []
    for top in TOPS:
        for folder, subfolders, files in os.walk(root / top):
            if journal.NAME in files and _is_file(Path(folder, journal.NAME)):
                found.append(Path(folder))
                subfolders.clear()  # trials, thousands perhaps
    return sorted(found, key=lambda folder: (_started(folder), folder.name), reverse=True)


def find(id: str | None, root: Path = Path(".")) -> Sweep:
    """The sweep of this ID (its folder's name) or path, or the one started last; without its trials' curves.

    Raises: ConfigError naming the known ones if there is none or more than one, DataError if its journal is damaged.
    """
    return record.read(locate(id, root), curves=False)


def locate(id: str | None, root: Path = Path(".")) -> Path:
    """The folder of the sweep that `find` reads. Raises: ConfigError as `find`."""
    if id and _is_file(root / id / journal.NAME):
        return root / id
    confirmed, _, last = (id or "").rpartition("/")
    if confirmed and last == record.CONFIRM:
        return _confirmation(locate(confirmed, root))
    known = all(root)
    if not known:
        raise ConfigError(nothing_found(root))
    matches = [folder for folder in known if folder.name == id] if id else known[:1]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(f"{id} names {len(matches)} sweeps: give a path, {_listed([str(path) for path in matches])}.")
    raise ConfigError(f"No sweep is called {id}. Known, latest first: {_listed([folder.name for folder in known])}.")


def running(root: Path = Path(".")) -> Path | None:
    """The folder of the one started last of those that a process runs now."""
    return next((folder for folder in all(root) if journal.in_use(folder)), None)


def name(folder: Path, root: Path = Path(".")) -> str:
    """What `find` takes for this folder: its ID where `all` comes by, else its path."""
    folder = folder.absolute()
    if record.is_confirmation(folder):
        return f"{name(folder.parent, root)}/{folder.name}"
    known = any(folder.is_relative_to((root / top).absolute()) for top in TOPS)
    return folder.name if known else str(folder)


def nothing_found(root: Path) -> str:
    return (
        f"No sweep lies below {' or '.join(TOPS)} in {root.absolute()}. "
        "Go to the folder that you started it in, or start one: python -m sweeper -m hparams=search"
    )


def add_trial(parser: ArgumentParser) -> None:
    """The words of a command that `find_trial` takes, as `run` and `sweep`."""
    words = f"best (default), SWEEP/NUMBER or {SHORTEST_RUN_ID}+ characters of an MLflow run ID"
    parser.add_argument("run", metavar="RUN", nargs="?", default="best", help=words)
    parser.add_argument("--sweep", metavar="ID", help="its folder's name or path (default: the latest)")


def find_trial(run: str, sweep: str | None, root: Path = Path(".")) -> Trial:
    """A finished trial.

    run: `best` of the sweep, SWEEP/NUMBER, a NUMBER of the sweep, or six or more first characters of an MLflow run ID.
    SWEEP/confirm/NUMBER is a training of the sweep's confirmation, which a run ID may name as well.
    sweep: an ID or path; None is any for a run ID, and for `best` the latest that has a result.
    Raises: ConfigError if it is unknown, ambiguous or did not finish.
    """
    if run == "best":
        return _best(find(sweep, root) if sweep else _latest_with_result(root))
    owner, _, number = run.rpartition("/")
    if re.fullmatch("[0-9]{1,9}", number) and (owner or sweep):
        return _numbered(find(owner or sweep, root), int(number))
    folders = [find(sweep, root).folder] if sweep else all(root)
    places = (place for folder in folders for place in (folder, folder / record.CONFIRM))
    return _of_run_id(run, [place for place in places if _is_file(place / journal.NAME)])


def owner(trial: Trial) -> Path:
    """The folder of its sweep: the nearest one above the trial's that holds a journal."""
    return next(folder for folder in (trial.folder, *trial.folder.parents) if _is_file(folder / journal.NAME))


def _confirmation(sweep: Path) -> Path:
    """Of the sweep in this folder. Raises: ConfigError if it has none."""
    if not _is_file(sweep / record.CONFIRM / journal.NAME):
        raise ConfigError(f"{sweep} has no confirmation. Make it: python -m sweeper confirm --sweep {name(sweep)}")
    return sweep / record.CONFIRM


def _latest_with_result(root: Path) -> Sweep:
    """The latest of all where none has a result yet."""
    readable = (find(str(folder), root) for folder in all(root))
    return next((sweep for sweep in readable if sweep.finished), None) or find(None, root)


def _best(sweep: Sweep) -> Trial:
    ranked = sweep.ranked()
    if not ranked:
        raise ConfigError(
            f"Sweep {sweep.id} has no finished trial among its {len(sweep.trials)}. "
            "See what became of them: python -m sweeper leaderboard, or name another one: --sweep ID"
        )
    return ranked[0]


def _numbered(sweep: Sweep, number: int) -> Trial:
    for trial in sweep.trials:
        if trial.number == number:
            return _finished(sweep, trial)
    numbers = [str(trial.number) for trial in sweep.trials]
    raise ConfigError(f"Sweep {sweep.id} has no trial {number}. It has {_listed(numbers) or 'none yet'}.")


def _of_run_id(prefix: str, folders: list[Path]) -> Trial:
    if len(prefix) < SHORTEST_RUN_ID:
        raise ConfigError(
            f"{prefix!r} names no trial. Give best, SWEEP/NUMBER, --sweep ID and a number, or "
            f"{SHORTEST_RUN_ID} or more characters of an MLflow run ID: python -m sweeper leaderboard lists them."
        )
    matches = []
    for folder in folders:
        if any(run_id.startswith(prefix) for run_id in record.run_ids(folder).values()):
            sweep = record.read(folder, curves=False)
            if sweep.run_id and sweep.run_id.startswith(prefix):
                raise ConfigError(f"{prefix} is the run of the whole sweep {sweep.id}. Give best --sweep {sweep.id}")
            matches += [(sweep, trial) for trial in sweep.trials if (trial.run_id or "").startswith(prefix)]
    if not matches:
        raise ConfigError(
            f"No trial's MLflow run begins with {prefix}. python -m sweeper leaderboard lists what there is."
        )
    if len(matches) > 1:
        names = [f"{trial.run_id} ({sweep.id}/{trial.number})" for sweep, trial in matches]
        raise ConfigError(f"{prefix} begins {len(matches)} runs: {_listed(names)}. Give more characters.")
    return _finished(*matches[0])


def _finished(sweep: Sweep, trial: Trial) -> Trial:
    if trial.state != "FINISHED":
        reason = f" ({text.first_line(trial.reason)})" if trial.reason else ""
        raise ConfigError(
            f"Trial {trial.number} of sweep {sweep.id} is {trial.state.lower()}{reason}, it has no result. "
            f"Name a finished one, or train it again: {trial.command}"
        )
    return trial


def _is_file(path: Path) -> bool:
    """A name that is too long is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _started(folder: Path) -> float:
    """Seconds since 1970 by the journal's first line; 0 where there is none that can be read."""
    try:
        first = next(journal.read(folder), None)
    except DataError:
        return 0.0
    return first.time if first else 0.0


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
