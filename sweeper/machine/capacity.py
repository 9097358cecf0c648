"""How many slots a card holds, by what a trial takes of its memory and time; whether the machine is short of memory."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import psutil

_FILLED = 0.9  # share of a card's memory that slots may fill: networks of later trials may be larger
_SHORT, _PLENTY = 0.04, 2e9  # share of the memory, and bytes: with less left, the kernel would soon choose whom to end
_LIMITS = (  # of a control group, in version 2 and 1: its limit, what it uses, what of that is files that may go
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def on_card(card: str, busy: float = 0.0) -> int:
    """Slots like the one that trains there now and has seen all of an epoch; 1 if the card does not tell.

    busy: share of the time that it calculates for this one, 0 if it does not tell. Programs take turns on a card: more
    of them than fill its time make each other wait. One more than that trains while another one starts or validates.
    What other programs take of it counts as if the slot did: so there are rather too few.
    """
    told = asked_of_cards("memory.used,memory.total", card)
    try:
        used, total = (float(part) for part in told[0].split(","))
    except (IndexError, ValueError):
        return 1
    fit = max(1, int(_FILLED * total / used)) if used > 0 else 1
    return min(fit, math.ceil(1 / busy) + 1) if busy else fit


def busy_cards() -> dict[str, float]:
    """Number and UUID of each card that tells -> the share of the last moment in which it calculated."""
    shares = {}
    for line in asked_of_cards("index,uuid,utilization.gpu"):
        *names, percent = (part.strip() for part in line.split(","))
        if percent.isdecimal():
            shares |= dict.fromkeys(names, int(percent) / 100)
    return shares


def is_short(groups: Path = Path("/sys/fs/cgroup")) -> bool:
    """Whether the machine, or the container, has hardly any memory left."""
    machine = psutil.virtual_memory()
    return _is_little(machine.available, machine.total) or any(_is_full(groups, *names) for names in _LIMITS)


def asked_of_cards(fields: str, card: str | None = None) -> list[str]:
    """nvidia-smi's line for each card, or for one; none where it is not there or has nothing to say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    which = [] if card is None else [f"--id={card}"]
    asked = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits", *which]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return []


def _is_full(groups: Path, limit: str, used: str, statistics: str, files: str) -> bool:
    try:
        most, taken = (int((groups / name).read_text()) for name in (limit, used))  # `max`: there is no limit
        counters = dict(line.split() for line in (groups / statistics).read_text().splitlines())
        return _is_little(most - taken + int(counters[files]), most)
    except (OSError, ValueError, KeyError):
        return False


def _is_little(left: float, total: float) -> bool:
    return left < min(_SHORT * total, _PLENTY)
