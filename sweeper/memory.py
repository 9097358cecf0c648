"""How much memory a process takes, and whether the kernel has ended processes for want of it."""

from __future__ import annotations

from pathlib import Path

import psutil

GB = 1e9  # bytes


def used(pid: int) -> int:
    """Bytes; 0 of a process that has ended."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def oom_kills() -> int:
    """How many processes the kernel has ended on this machine for want of memory; 0 where it does not tell."""
    try:
        counters = Path("/proc/vmstat").read_text().split()
    except OSError:
        return 0
    return int(counters[counters.index("oom_kill") + 1]) if "oom_kill" in counters else 0
