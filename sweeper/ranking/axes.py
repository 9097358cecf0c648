"""The axes of a sweep's map: those that its sampler filled, those that somebody asks for, or what networks cost."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from sweeper.errors import ConfigError
from sweeper.records import record
from sweeper.records.record import Sweep, Trial
from sweeper.sail.descriptor import Descriptor
from sweeper.search.asked import SAIL

NAMES = ("parameters", "mflops")
BINS, MOST = 8, 50  # along an axis
FEWEST = 8  # finished trials that anything is expected from


def add_arguments(parser: ArgumentParser) -> None:
    """Those of a command that draws or fills a map; `of` takes them."""
    parser.add_argument("--sweep", metavar="ID", help="the name of its folder, or a path (default: the latest)")
    parser.add_argument(
        "--by",
        metavar="FACT",
        nargs="+",
        help=f"axes, facts of trials (default: those of its sampler, or {' '.join(NAMES)})",
    )
    parser.add_argument(
        "--bins", metavar="N", type=int, help=f"along each axis (default: as its sampler has them, or {BINS})"
    )


def of(sweep: Sweep, by: Sequence[str] | None = None, bins: int | None = None) -> list[Descriptor]:
    """by: facts. Those that the sampler of the sweep had are cut as there, with other `bins` if they are given, unless
    all trials lie beyond their ends.

    Raises: ConfigError if `bins` are none.
    """
    if bins is not None and not 1 <= bins <= MOST:
        raise ConfigError(f"--bins {bins}: give a number from 1 to {MOST}.")
    own = recorded(sweep)
    names = by or tuple(own) or NAMES
    used = [axis for name, axis in own.items() if name in names]
    if not any(_covers(used, trial) for trial in sweep.ranked()):
        own = {}
    return [
        replace(own[name], bins=bins or own[name].bins) if name in own else spanning(sweep, name, bins or BINS)
        for name in names
    ]


def spanning(sweep: Sweep, name: str, bins: int) -> Descriptor:
    """An axis over what the finished trials tell, logarithmic where they differ tenfold."""
    told = (trial.number_of(name) for trial in sweep.finished)
    numbers = [number for number in told if number is not None]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    log = low > 0 and high >= 10 * low
    return Descriptor(name, low, high if high > low else low + 1, bins, log)


def recorded(sweep: Sweep) -> dict[str, Descriptor]:
    """Those of sampler=sail, by name, from the config that Hydra left in the folder of a trial. Empty where another
    sampler drew, or nothing that makes sense was left.
    """
    path = next(
        (trial.folder / record.HYDRA for trial in sweep.trials if (trial.folder / record.HYDRA).is_file()), None
    )
    if path is None:
        return {}
    try:
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        node = config["hydra"]["sweeper"]["sampler"]
        if node["_target_"] != SAIL:
            return {}
        return {name: _descriptor(name, node["descriptors"][name]) for name in node.get("axes") or node["descriptors"]}
    except (ConfigError, OmegaConfBaseException, YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # somebody has changed it, or another version wrote it


def _descriptor(name: str, axis: Mapping[str, Any]) -> Descriptor:
    bins, log = axis.get("bins", 10), axis.get("log", False)
    if not isinstance(log, bool) or bins > MOST:
        raise ConfigError(f"descriptor {name}: {bins} bins, log {log}.")
    return Descriptor(name, float(axis["low"]), float(axis["high"]), bins, log)


def _covers(axes: Iterable[Descriptor], trial: Trial) -> bool:
    """Whether the trial lies between their ends."""
    numbers = ((axis, trial.number_of(axis.name)) for axis in axes)
    return all(number is not None and axis.low <= number <= axis.high for axis, number in numbers)
