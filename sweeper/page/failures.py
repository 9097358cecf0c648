"""Why trials failed, as a section of a report: a line a reason, and which trials it stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweeper import text
from sweeper.page.page import Cell, Line, Section, Table, Words
from sweeper.page.seen import Seen
from sweeper.ranking.standings import Row
from sweeper.records import states
from sweeper.search import constraints

MOST = 40  # trials that are listed
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)


def section(seen: Seen) -> Section | None:
    failed: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(seen.rows, key=lambda row: row.trial.number):
        if row.trial.state in (*states.FAILURES, "CRASHED") or row.trial.missed:
            failed.setdefault((row.state, _NUMBER.sub("0", _reason(row))), []).append(row)
    if not failed:
        return Section("failures", "Failures", [Words("None.")]) if len(seen.sweep.trials) > 1 else None
    lines = [_line(rows) for rows in sorted(failed.values(), key=len, reverse=True)]
    head = (Cell("state"), Cell("trials", style="number"), Cell("reason"), Cell("which"))
    lead = "A click on such a trial in the leaderboard shows its whole reason."
    return Section("failures", "Failures", [Table("Failed trials by their reason", head, lines)], lead)


def together(reasons: Sequence[str]) -> str:
    """Of reasons that differ in their numbers only: one, with the smallest and the largest number where they differ."""
    words = _NUMBER.split(reasons[0])
    numbers = map(_span, zip(*map(_NUMBER.findall, reasons), strict=True))
    return words[0] + "".join(number + rest for number, rest in zip(numbers, words[1:], strict=True))


def _line(rows: Sequence[Row]) -> Line:
    return Line(
        (
            Cell(rows[0].state, style="state", colour=f"--{rows[0].colour}"),
            Cell(str(len(rows)), len(rows), "number"),
            Cell(together([_reason(row) for row in rows]), style="long"),
            Cell(_listed([row.trial.number for row in rows]), style="long"),
        )
    )


def _reason(row: Row) -> str:
    trial = row.trial
    return text.first_line(trial.reason or constraints.reason(trial.missed, trial.facts)) or "no reason was told"


def _span(numbers: Sequence[str]) -> str:
    low, high = (bound(numbers, key=float) for bound in (min, max))
    return low if low == high else f"{low} to {high}"


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - MOST} more" if len(numbers) > MOST else ""
    return ", ".join(map(str, numbers[:MOST])) + more
