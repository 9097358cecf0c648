"""What a trial must keep to beside being good: the inequalities of `hydra.sweeper.constraints`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from sweeper.errors import ConfigError

_INEQUALITY = re.compile(r"\s*([A-Za-z_][\w./-]*)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Constraint:
    name: str  # of a fact or metric that a trial tells
    operator: str  # <=, <, >= or >
    bound: float

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.bound:.15g}"

    def gap(self, told: Any) -> float:
        """How far beyond the bound it is, 0 or less where it is not; infinite for what is no number."""
        if not isinstance(told, Real) or math.isnan(told):
            return math.inf
        beyond = float(told - self.bound) if self.operator.startswith("<") else float(self.bound - told)
        return max(beyond, math.ulp(self.bound)) if beyond == 0 and "=" not in self.operator else beyond


def parse(lines: str | Iterable[str] | None) -> tuple[Constraint, ...]:
    """lines: `hydra.sweeper.constraints`. Raises: ConfigError for what is no inequality between a name and a number."""
    if isinstance(lines, Mapping) or not isinstance(lines, str | Iterable | None):
        raise _refused(lines)
    return tuple(_parsed(line) for line in ([lines] if isinstance(lines, str) else lines or ()))


def gaps(
    constraints: Iterable[Constraint], facts: Mapping[str, Any], values: Sequence[float] | None
) -> dict[str, float]:
    """Of each constraint, how far beyond its bound a trial is; 0 or less where it meets it.

    facts, values: what the trial told. What it returned also goes by `value`, or `value_0`, `value_1` and so on.
    """
    told = named(values or ()) | dict(facts)
    return {str(constraint): constraint.gap(told.get(constraint.name)) for constraint in constraints}


def missed(
    constraints: Iterable[Constraint], facts: Mapping[str, Any], values: Sequence[float] | None
) -> dict[str, float]:
    """The `gaps` of those that a trial does not meet."""
    return {constraint: gap for constraint, gap in gaps(constraints, facts, values).items() if gap > 0}


def named(values: Sequence[float]) -> dict[str, float]:
    """What a task returned, by the names of the columns of leaderboard.csv."""
    return {"value" if len(values) == 1 else f"value_{place}": value for place, value in enumerate(values)}


def reason(missed: Mapping[str, float], facts: Mapping[str, Any]) -> str | None:
    """`misses parameters <= 310000 by 12345`. A name that nobody told is most likely mistyped: the others follow it."""
    if not missed:
        return None
    parts = [
        f"misses {constraint} by {gap:.6g}" if math.isfinite(gap) else _untold(constraint, facts)
        for constraint, gap in missed.items()
    ]
    return "; ".join(parts)


def _untold(constraint: str, facts: Mapping[str, Any]) -> str:
    known = ", ".join(name for name, fact in facts.items() if isinstance(fact, Real)) or "its value alone"
    return f"misses {constraint}: it told no number of that name, but {known}"


def _parsed(line: Any) -> Constraint:
    match = _INEQUALITY.fullmatch(line) if isinstance(line, str) else None
    if match is None:
        raise _refused(line)
    name, operator, bound = match.groups()
    try:
        number = float(bound)
    except ValueError:
        raise _refused(line) from None
    if not math.isfinite(number):
        raise _refused(line)
    return Constraint(name, operator, number)


def _refused(line: Any) -> ConfigError:
    return ConfigError(
        f"hydra.sweeper.constraints: {line} is no constraint. Give a name, one of <= < >= > and a number: "
        "\"hydra.sweeper.constraints=['parameters <= 310000', 'val_loss < 1.2']\""
    )
