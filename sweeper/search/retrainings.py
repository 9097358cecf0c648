"""The trainings of a confirmation: the best trials of a sweep, each with the same fresh seeds."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from sweeper.config import command
from sweeper.errors import ConfigError, DataError
from sweeper.records import record
from sweeper.records.record import Sweep, Trial
from sweeper.records.states import BAD, State
from sweeper.search.source import Source
from sweeper.search.study import Proposal
from sweeper.secret import hide

CANDIDATE, SEED = "candidate", "seed"  # the params of a training: number of the sweep's trial, and what it starts from
FIRST = 1000  # of the fresh seeds: far from what people type
_SEED = re.compile(r"(\+{0,2}seed)=")
_NO_VALUE = re.compile(r"-|[+~]*hydra\b")


class Retrainings(Source):
    """Asked for trials like a Study, it gives those that are lacking, one seed of all candidates after the other."""

    def __init__(
        self,
        folder: Path,
        candidates: Sequence[Trial],
        seeds: Sequence[int],
        overrides: Callable[[Mapping[str, Any]], list[str]],
        earlier: Sequence[Trial],
    ):
        """folder: of the confirmation. overrides: those of a trial with these params. earlier: trainings of it.

        Raises: ConfigError if a candidate would not be trained as in the search, DataError if it is no trial of ours.
        """
        self.folder, self.candidates, self.seeds = folder, candidates, seeds
        lines = {trial.number: _as_then(trial, overrides(trial.params)) for trial in candidates}
        known = {_key(trial): trial for trial in earlier}
        self.begun: list[Proposal] = []
        self._asked: deque[Proposal] = deque()
        fresh = count(max((trial.number + 1 for trial in earlier), default=0))
        for seed in seeds:
            for trial in candidates:
                again = known.get((trial.number, seed))
                if again and is_told(again.state):
                    continue
                number = again.number if again else next(fresh)
                params = {CANDIDATE: trial.number, SEED: seed}
                params |= {key: value for key, value in _unseeded(trial).items() if key not in params}
                proposal = Proposal(number, params, _seeded(lines[trial.number], seed), test=True)
                (self.begun if again else self._asked).append(proposal)
        self.total = len(earlier) + len(self._asked)  # with what was trained before

    def __len__(self) -> int:
        """How many are left to train."""
        return len(self.begun) + len(self._asked)

    def ask(self) -> Proposal:
        return self._asked.popleft()

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Nothing is pruned."""
        return False

    def tell(self, number: int, state: State, values: Sequence[float] | None, facts: Mapping[str, Any]) -> None:
        """The journal knows it."""


def candidates(sweep: Sweep, wanted: int | Collection[int]) -> list[Trial]:
    """So many of the best trials that differ in more than their seed, feasible ones, if there are any; or those of
    these numbers, the best first.

    Raises: ConfigError if none finished, or one that is named did not.
    """
    ranked = sweep.ranked()
    if not ranked:
        raise ConfigError(
            f"Sweep {sweep.id} has no finished trial among its {len(sweep.trials)}, so there is nothing to confirm. "
            "See what became of them: python -m sweeper leaderboard"
        )
    if not isinstance(wanted, int):
        _check_finished(sweep, ranked, wanted)
        return [trial for trial in ranked if trial.number in wanted]
    different: dict[tuple, Trial] = {}
    for trial in [trial for trial in ranked if not trial.missed] or ranked:
        key = tuple(sorted((key, repr(value)) for key, value in _unseeded(trial).items()))
        different.setdefault(key, trial)
    return list(different.values())[:wanted]


def _check_finished(sweep: Sweep, ranked: Sequence[Trial], numbers: Collection[int]) -> None:
    states = {trial.number: trial.state for trial in sweep.trials}
    lacking = sorted(set(numbers) - {trial.number for trial in ranked})
    if lacking:
        state = states.get(lacking[0])
        became = f"was {state.lower()}, or has the values of another one" if state else "is not there"
        raise ConfigError(
            f"Trial {lacking[0]} of sweep {sweep.id} {became}: only what was trained to its end can be confirmed. "
            f"See which: python -m sweeper leaderboard --sweep {sweep.id}"
        )


def seeds(sweep: Sweep, confirmed: Sweep | None, wanted: int, base: Any) -> list[int]:
    """Those that the confirmation has begun with, and then some that no trial of the sweep was trained with.

    base: the seed of the sweep's config.
    """
    known = begun_seeds(confirmed)
    used = {base, *known, *(value for trial in sweep.trials for key, value in trial.params.items() if _is_seed(key))}
    fresh = (seed for seed in count(FIRST) if seed not in used)
    return [*known[:wanted], *islice(fresh, max(0, wanted - len(known)))]


def begun_seeds(confirmed: Sweep | None) -> list[int]:
    found = (_key(trial)[1] for trial in (confirmed.trials if confirmed else ()))
    return list(dict.fromkeys(seed for seed in found if isinstance(seed, int)))


def is_complete(chosen: Collection[Trial], confirmed: Sweep | None, wanted: int) -> bool:
    """Whether each candidate's trainings with so many seeds are told."""
    known = begun_seeds(confirmed)[:wanted]
    told = {_key(trial) for trial in (confirmed.trials if confirmed else ()) if is_told(trial.state)}
    return len(known) == wanted and all((trial.number, seed) in told for trial in chosen for seed in known)


def is_concluded(confirmed: Sweep | None) -> bool:
    """Whether what has come of it is written: its process may have been lost after the last training."""
    if confirmed is None or confirmed.ended is None or confirmed.ended.state != "FINISHED":
        return False
    base = confirmed.folder / record.CONFIRMATION
    return all(base.with_suffix(suffix).is_file() for suffix in (".csv", ".yaml"))


def is_told(state: str) -> bool:
    """Whether a training has come to a result, be it a bad one. Any other is begun again by the next command."""
    return state in ("FINISHED", *BAD)


def check_word(word: str) -> str:
    """`word` if it is a value of the user's config and no more. Raises: DataError: a stranger may have written it."""
    if _NO_VALUE.match(word) or "${" in word:
        raise DataError(
            f"The journal of the sweep says that {word!r} was typed, which is no plain value of its config. Is the "
            "sweep yours? Then type its command again, with what `python -m sweeper confirm --help` names behind it."
        )
    return word


def _as_then(trial: Trial, overrides: list[str]) -> list[str]:
    """The overrides if the search trained this trial with the same. Raises: ConfigError if it did not."""
    for line in overrides:
        if _NO_VALUE.match(line):
            raise DataError(f"Trial {trial.number} has the override {line!r}, which is no value of its config.")
    then, now = set(command.overrides(trial.command)), set(hide(overrides))
    if then != now:
        raise ConfigError(
            f"Trial {trial.number} would not be trained as in the search: with {_listed(now - then)} instead of "
            f"{_listed(then - now)}. Give the same hydra.sweeper.params and config as then; it was: {trial.command}"
        )
    return overrides


def _seeded(overrides: list[str], seed: int) -> list[str]:
    """With another seed, under the key that chose it before."""
    keys = [found[1] for found in map(_SEED.match, overrides) if found]
    return [*(line for line in overrides if not _SEED.match(line)), f"{keys[-1] if keys else SEED}={seed}"]


def _unseeded(trial: Trial) -> dict[str, Any]:
    """What the sampler chose for it, the seed left out."""
    return {key: value for key, value in trial.params.items() if not _is_seed(key)}


def _is_seed(key: str) -> bool:
    return key.lstrip("+") == SEED


def _key(training: Trial) -> tuple[Any, Any]:
    """Which candidate it trains with which seed."""
    return training.params.get(CANDIDATE), training.params.get(SEED)


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
