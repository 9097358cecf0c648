"""What the facts of trials are measured in, for the titles of tables and axes."""

from __future__ import annotations

_UNITS = {"mflops": "millions an image"}  # of names that do not end in theirs
_ENDINGS = {"latency_ms": "an image"}  # also of files: onnx_latency_ms


def titled(fact: str) -> str:
    """`mflops (millions an image)`; what is counted, like parameters, or tells it by its name, has no unit."""
    ending = next((unit for end, unit in _ENDINGS.items() if fact.endswith(end)), None)
    unit = _UNITS.get(fact, ending)
    return f"{fact} ({unit})" if unit else fact
