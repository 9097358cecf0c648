"""`exports.yaml`: how the files of an exported folder do, for reports; the same as a table, and as MLflow's metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path

import yaml
from rich.table import Table
from rich.text import Text

from sweeper.errors import DataError
from sweeper.files.convert import Converted
from sweeper.records import plain, typed

NAME = "exports.yaml"
_ADVICE = "Export the network again: python -m sweeper export"


def write(folder: Path, rows: Iterable[Converted]) -> None:
    listed = {row.format: {key: value for key, value in asdict(row).items() if key != "format"} for row in rows}
    (folder / NAME).write_text(yaml.safe_dump(listed, sort_keys=False, allow_unicode=True), encoding="utf-8")


def read(folder: Path) -> tuple[Converted, ...]:
    """Empty if `folder` holds no exports.yaml. Raises: DataError if it is damaged."""
    try:
        listed = plain.read(folder / NAME, _ADVICE)
        return tuple(typed.make(Converted, {"format": name} | row) for name, row in listed.items())
    except FileNotFoundError:
        return ()
    except TypeError as error:  # a row that is no mapping, a key too many or too few, or of another type
        raise DataError(f"{folder / NAME} is damaged: {error}. {_ADVICE}") from error


def table(rows: Sequence[Converted]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("file", no_wrap=True)
    for title in ("size", "difference", "agreement", "1 image", "32 images"):
        grid.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = (
            row.file,
            _megabytes(row.size),
            f"{row.difference:.1g}",
            f"{row.agreement:.1%}",
            _milliseconds(row.latency_1_ms),
            _milliseconds(row.latency_32_ms),
        )
        grid.add_row(*map(Text, cells))
    return grid


def lines(rows: Sequence[Converted]) -> list[str]:
    """Tab-separated, in full precision, below a line of titles."""
    titles = [field.name for field in fields(Converted)]
    return ["\t".join(map(str, cells)) for cells in (titles, *map(astuple, rows))]


def metrics(rows: Iterable[Converted]) -> dict[str, float]:
    """`export/onnx/size_bytes` and so on."""
    return {
        f"export/{row.format}/{name}": value
        for row in rows
        for name, value in {
            "size_bytes": row.size,
            "difference": row.difference,
            "agreement": row.agreement,
            "latency_1_ms": row.latency_1_ms,
            "latency_32_ms": row.latency_32_ms,
        }.items()
    }


def _milliseconds(time: float) -> str:
    return f"{time:.3g} ms" if time < 999.5 else f"{time:,.0f} ms"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
