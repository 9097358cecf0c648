"""What a trained network costs as a file that others run, `tflite_int8_size`: an objective, or a bound, of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from sweeper.files import formats
from sweeper.files.formats import Format
from sweeper.search import constraints

if TYPE_CHECKING:
    import keras

    from sweeper.data import Dataset

_WORDS = {format.name.replace("-", "_"): format for format in formats.FORMATS}
NAMES = tuple(f"{word}_{cost}" for word in _WORDS for cost in ("size", "latency"))  # bytes; ms an image
_TOLD = ("size", "latency", "agreement")  # the last one for constraints: to lose none is no aim beside accuracy


def asked(optimized: Iterable[str]) -> Mapping[str, Format]:
    """The formats that the objectives, or the constraints of the sweep that runs here, name a cost of."""
    config = HydraConfig.instance().cfg
    lines = None if config is None else OmegaConf.select(config, "hydra.sweeper.constraints")
    names = {*optimized, *(constraint.name for constraint in constraints.parse(lines))}
    return {word: format for word, format in _WORDS.items() if names & {f"{word}_{cost}" for cost in _TOLD}}


def check(optimized: Iterable[str]) -> None:
    """Raises: ConfigError if packages are missing that write or run one of the `asked`."""
    for format in asked(optimized).values():
        formats.require(format, *format.converter, *format.runtime)


def measure(network: keras.Model, data: Dataset, optimized: Iterable[str]) -> dict[str, float]:
    """`onnx_size`, `onnx_latency` and `onnx_agreement` and so on, of the `asked` alone; nothing of them stays.

    Raises: ConfigError if a format cannot express the network, or computes something else.
    """
    wanted = asked(optimized)
    if not wanted:
        return {}
    from sweeper.files import convert

    original, told = convert.original(network, data, scale=data), {}
    with TemporaryDirectory() as folder:
        for word, format in wanted.items():
            converted = convert.convert(original, format, Path(folder, format.file))
            convert.check(converted, format, min_agreement=0)
            costs = converted.size, converted.latency_1_ms, converted.agreement
            told |= {f"{word}_{cost}": value for cost, value in zip(_TOLD, costs, strict=True)}
    return told
