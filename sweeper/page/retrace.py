"""The commands that repeat a sweep, its best trial, or go on with it, as a section of a report."""

from __future__ import annotations

import shlex

from sweeper.config import command
from sweeper.page.page import Command, Section, Words
from sweeper.page.seen import Seen
from sweeper.ranking import results
from sweeper.records import sweeps


def section(seen: Seen) -> Section:
    sweep, best = seen.sweep, seen.best
    name = shlex.quote(sweeps.name(sweep.folder))
    typed = Command("the whole sweep, as it was typed" if seen.searched else "as it was typed", sweep.started.command)
    found = [typed] if typed.line else []
    if seen.searched and best:
        found.append(Command(f"the best trial alone, {best.number}", best.command))
    found.append(Command("its leaderboard", f"python -m sweeper leaderboard --sweep {name}"))
    if best and best.model.is_file():
        exporting = command.exporting("best", sweep.started.allow, sweeps.name(sweep.folder))
        found.append(Command("the best network as a file for others", exporting))
    going_on = _going_on(seen)
    if going_on:
        found.append(Command("goes on with it", going_on))
    return Section("reproduce", "Reproduce", [*found, *_commit(seen)])


def _going_on(seen: Seen) -> str | None:
    """Where something is left to do, and nobody does it now."""
    return results.resuming(seen.sweep) if seen.sweep.goes_on and not seen.running else None


def _commit(seen: Seen) -> list[Words]:
    commit = seen.sweep.started.git_commit
    return [Words(f"Begun at the commit {commit}.")] if commit else []
