"""`python -m sweeper summary`: what a network is made of and what it costs."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from dataclasses import astuple, fields
from math import prod
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sweeper.config.compose import add_overrides, composed
from sweeper.errors import ConfigError
from sweeper.files.costs import Layer, layers, mflops
from sweeper.training import instances

if TYPE_CHECKING:
    import keras

MB = 1e6  # bytes


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Lists the layers of a network. MFLOPs: millions of operations for one image, two for each multiply-add of "
        "convolutions and dense layers; the rest is below a few percent of them. When piped: a layer a line, "
        "tab-separated."
    )
    add_overrides(parser, "model=resnet dataset=cifar10")
    parser.add_argument("--input", metavar="HxWxC", help="shape of an image, 32x32x3, instead of the data set's")
    parser.add_argument("--classes", metavar="N", type=int, help="with --input (default: %(default)s)", default=10)


def run(args: Namespace) -> int:
    """Raises: ConfigError or DataError if the network cannot be built or the data set not be loaded."""
    cfg = composed(args.overrides)
    if args.input:
        shape, classes = _shape(args.input), args.classes
    else:
        data = instances.dataset(cfg)
        shape, classes = data.input_shape, data.num_classes
    network = instances.network(cfg, shape, classes)
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(network))
    else:
        print(*(field.name for field in fields(Layer)), sep="\t")
        for layer in layers(network):
            print(*astuple(layer), sep="\t")
    print(totals(network))
    return 0


def totals(network: keras.Model) -> str:
    parameters = network.count_params()
    trainable = sum(prod(variable.shape) for variable in network.trainable_variables)
    return (
        f"{network.name}: {parameters:,} parameters ({trainable:,} trainable), {4 * parameters / MB:.2f} MB in float32,"
        f" {mflops(network):,.1f} MFLOPs an image of {'x'.join(map(str, network.input_shape[1:]))}"
    )


def _shape(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){2}", text):
        raise ConfigError(f"--input {text}: not a shape. Give height, width and channels: 32x32x3")
    height, width, channels = map(int, text.split("x"))
    return height, width, channels


def _table(network: keras.Model) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("layer", "kind", "output"):
        table.add_column(title)
    for title in ("parameters", "MFLOPs"):
        table.add_column(title, justify="right")
    for layer in layers(network):
        flops = f"{2 * layer.multiply_adds / 1e6:,.2f}" if layer.multiply_adds else ""
        table.add_row(layer.name, layer.kind, layer.output, f"{layer.parameters:,}" if layer.parameters else "", flops)
    return table
