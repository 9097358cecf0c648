"""A segment of a member's life: which epochs a trial of a population trains, and whose state it goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeper.errors import ConfigError, DataError
from sweeper.records import lineage
from sweeper.records.lineage import Place
from sweeper.training import checkpoint
from sweeper.training.checkpoint import Checkpoint

_ORDER = ("seed", "trainer.batch_size", "dataset.train_size")  # decide which image comes when


@dataclass(frozen=True)
class Segment:
    place: Place
    first: int  # epochs that its ancestors have trained
    last: int  # the epoch that it ends with
    is_end: bool  # of the life
    parent: Checkpoint | None  # None: from the beginning
    order: dict[str, Any]  # what decides which image comes when, by key

    def check(self, restored: bool) -> None:
        """Raises: ConfigError if its parent's state was none of this network and optimizer, or of this order."""
        cannot = (
            f"lineage: segment {self.place.segment} of member {self.place.member} cannot go on from member "
            f"{self.place.parent}, whose"
        )
        if not restored:
            raise ConfigError(
                f"{cannot} network or optimizer has other variables. Search nothing that decides the shape of a "
                "weight, nor whether there is one: a dropout or momentum of 0 has none."
            )
        for key, value in self.parent.order.items():
            if self.order[key] != value:
                raise ConfigError(
                    f"{cannot} {key} was {value} and not {self.order[key]}: its place in the data would be another. "
                    f"Search nothing that {key} depends on."
                )

    def leave(self, sweep: Path | None, end: Checkpoint) -> None:
        """Its state, for those that go on from it. sweep: the folder. Raises: OSError if the disk does not take it."""
        if sweep and not self.is_end:
            folder = lineage.state(sweep, self.place.member, self.place.segment)
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.write(folder, replace(end, best_weights=[], order=self.order))


def of(cfg: DictConfig, sweep: Path | None) -> Segment | None:
    """None where the config has no population. sweep: the folder.

    Raises: ConfigError if nothing says which segment, DataError if its parent's state is not there.
    """
    if OmegaConf.select(cfg, "evolution._target_") is None:
        return None
    place = lineage.of({key: OmegaConf.select(cfg, key) for key in lineage.KEYS})
    if place is None:
        raise ConfigError("+evolution=… is a way to search, not to train once: give -m, or leave it out.")
    every = cfg.evolution.every
    first, last = (place.segment - 1) * every, place.segment * every
    order = {key: OmegaConf.select(cfg, key) for key in _ORDER}
    return Segment(place, first, last, last == cfg.trainer.epochs, _parent(place, sweep), order)


def _parent(place: Place, sweep: Path | None) -> Checkpoint | None:
    if place.before is None:
        return None
    member, segment = place.before
    found = checkpoint.read(lineage.state(sweep, member, segment)) if sweep else None
    if found is None:
        where = f" in {sweep}" if sweep else ""
        raise DataError(
            f"The state that member {member} of the population ended its segment {segment} in is not there{where}: "
            "states are deleted once nobody is to go on from them. To train this line of segments again from its "
            "beginning: python -m sweeper reproduce SWEEP/NUMBER"
        )
    return found
