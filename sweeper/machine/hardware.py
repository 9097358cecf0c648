"""What this machine has for trials: cores and graphics cards. Asks the system, not TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from sweeper import text


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def gpus() -> list[str]:
    """The cards that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1")]
    cards = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(cards.iterdir())))] if cards.is_dir() else []


def flags() -> set[str]:
    """What its processor can do, as Linux names it: amx_bf16, avx512f. Empty where the system does not tell."""
    return set(_processor("flags").split())


def threads() -> int:
    """That one operation of TensorFlow may use in this process."""
    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else cores()


def name(used: int | None = None) -> str:
    """Equal for machines, and shares of one, that train at the same speed: `Intel(R) Xeon(R), 2 threads`.

    used: threads; None are those that TensorFlow takes.
    """
    cards = {_value(path, "Model") for path in Path("/proc/driver/nvidia/gpus").glob("*/information")}
    kind = ", ".join(sorted(flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}))
    return "; ".join(
        (_processor("model name"), kind, text.count(used or threads(), "thread"), *(sorted(cards) if gpus() else ()))
    )


def _processor(key: str) -> str:
    """Of the first core."""
    return _value(Path("/proc/cpuinfo"), key)


def _value(file: Path, key: str) -> str:
    """Of the first line `key: value`; empty where there is none."""
    try:
        pairs = [line.partition(":") for line in file.read_text().splitlines()]
    except OSError:
        return ""
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
