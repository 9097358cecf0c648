"""`python -m sweeper map`: the best trained network of each size, and what better ones are expected to be found."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sweeper import drawing, text
from sweeper.errors import ConfigError
from sweeper.ranking import axes
from sweeper.records import sweeps

if TYPE_CHECKING:
    from sweeper.ranking.atlas import Atlas


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Draws the trials of a sweep by what they cost: in each cell the best one, beside what a surrogate that has "
        "learned from all of them expects of the best untrained one. Lists the elites; when piped, tab-separated."
    )
    axes.add_arguments(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="PNG, PDF or SVG (default: map.png in its folder)")


def run(args: Namespace) -> int:
    """Raises: ConfigError if there is no such sweep, or it has nothing to draw."""
    sweep = sweeps.find(args.sweep)
    from sweeper.ranking import atlas, heat_map  # Optuna starts here

    drawn = atlas.of(sweep, axes.of(sweep, args.by, args.bins))
    out = args.out or sweep.folder / "map.png"
    try:
        drawing.save(heat_map.draw(drawn, sweep.started.metric), out)
    except (OSError, ValueError) as error:  # no such folder, an ending that is no format
        raise ConfigError(f"--out {out}: {error}. Give a file that can be written, such as map.png") from None
    _show(drawn, Console(highlight=False))
    print(f"{len(drawn.elites)} of {len(drawn.archive.scores)} cells have an elite -> {out}")
    return 0


def _show(atlas: Atlas, console: Console) -> None:
    titles = [*(axis.name for axis in atlas.descriptors), "trial", atlas.sweep.started.metric, "params"]
    rows = []
    for _, trial in atlas.elites:
        costs = (f"{trial.facts[axis.name]:g}" for axis in atlas.descriptors)
        rows.append([*costs, str(trial.number), text.value(trial.values[0]), text.params(trial.params)])
    if not console.is_terminal:
        for row in rows:
            print(*map(text.printable, row), sep="\t")
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        grid.add_column(title, justify="left" if title == "params" else "right", no_wrap=True, overflow="ellipsis")
    for row in rows:
        grid.add_row(*map(text.printable, row))
    console.print(grid)
