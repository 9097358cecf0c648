"""What the facts of trials are measured in, for the titles of tables and axes."""

from __future__ import annotations

_UNITS = {"mflops": "millions an image", "seconds": "s"}
_ENDINGS = {"latency": "ms an image", "_size": "bytes"}  # also of files: onnx_latency, tflite_int8_size


def titled(fact: str) -> str:
    """`mflops (millions an image)`; what is counted, like parameters, has no unit."""
    ending = next((unit for end, unit in _ENDINGS.items() if fact.endswith(end)), None)
    unit = _UNITS.get(fact, ending)
    return f"{fact} ({unit})" if unit else fact
