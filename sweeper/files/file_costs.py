"""What a trained network costs as a file that others run, `tflite_int8_kb`: an objective, a bound, or an axis of
a sweep."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sweeper.files import formats
from sweeper.files.formats import Format

if TYPE_CHECKING:
    import keras

    from sweeper.data import Dataset

_WORDS = {format.name.replace("-", "_"): format for format in formats.FORMATS}
NAMES = tuple(f"{word}_{cost}" for word in _WORDS for cost in ("kb", "latency_ms"))  # thousands of bytes; an image
_TOLD = ("kb", "latency_ms", "agreement")  # the last one for constraints: to lose none is no aim beside accuracy


def asked(names: Collection[str]) -> Mapping[str, Format]:
    """The formats that one of the names is a cost of."""
    return {word: format for word, format in _WORDS.items() if any(f"{word}_{cost}" in names for cost in _TOLD)}


def check(names: Collection[str]) -> None:
    """Raises: ConfigError if packages are missing that write or run one of the `asked`."""
    for format in asked(names).values():
        formats.require(format, *format.converter, *format.runtime)


def measure(network: keras.Model, data: Dataset, names: Collection[str]) -> dict[str, float]:
    """`onnx_kb`, `onnx_latency_ms` and `onnx_agreement` and so on, of the `asked` alone; nothing of them stays.

    Raises: ConfigError if a format cannot express the network, or computes something else.
    """
    wanted = asked(names)
    if not wanted:
        return {}
    from sweeper.files import convert

    original, told = convert.original(network, data, scale=data), {}
    with TemporaryDirectory() as folder:
        for word, format in wanted.items():
            converted = convert.convert(original, format, Path(folder, format.file))
            convert.check(converted, format, min_agreement=0)
            costs = converted.size / 1e3, converted.latency_1_ms, converted.agreement
            told |= {f"{word}_{cost}": value for cost, value in zip(_TOLD, costs, strict=True)}
    return told
