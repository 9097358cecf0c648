"""What the best network does on the test images, as a section of a report: test.yaml and the pictures beside it."""

from __future__ import annotations

from pathlib import Path

from sweeper import text
from sweeper.errors import DataError
from sweeper.page.page import Cell, Grid, Line, Picture, Section, Table, Words
from sweeper.page.seen import Seen
from sweeper.records import record
from sweeper.records.record import Trial
from sweeper.training import evaluation
from sweeper.training.evaluation import Tested

PICTURES = {
    "confusion.png": "Confusion matrix: of each class, which ones the network takes it for",
    "classes.png": "Accuracy of each class",
    "predictions.png": "Test images with what the network tells, the wrong ones framed in red",
}
LARGEST = 10_000_000  # bytes of a picture
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def section(seen: Seen) -> Section:
    title = "Best network"
    best = seen.best
    if best is None:
        return Section("network", title, [Words("No trial has finished.")])
    try:
        found = evaluation.read(best.folder)
    except FileNotFoundError:
        return Section("network", title, [Words(_untested(best, seen.running))])
    except DataError as error:
        return Section("network", title, [Words(str(error))])
    pictures = [_picture(best.folder / record.PICTURES / name, label) for name, label in PICTURES.items()]
    *beside, below = pictures
    blocks = [Grid([picture for picture in beside if picture], wide=True), *([below] if below else [])]
    if not pictures[1]:
        blocks.append(_classes(found))
    metrics = ", ".join(f"{name.replace('_', ' ')} {text.value(value)}" for name, value in found.metrics.items())
    lead = f"Trial {best.number} on {found.images:,} test images, which no trial has seen: {metrics}."
    return Section("network", title, blocks, lead)


def _untested(best: Trial, running: bool) -> str:
    why = "it will at the end of the sweep" if running else "its task tests none, or the sweep ended before"
    return f"The network of the best trial, {best.number}, has not met the test images: {why}."


def _picture(path: Path, label: str) -> Picture | None:
    """None where there is none, or what lies there is no picture of this trial."""
    inside = path.resolve().is_relative_to(path.parent.parent.resolve())
    if not inside or not path.is_file() or path.stat().st_size > LARGEST:
        return None
    png = path.read_bytes()
    return Picture(label, png) if png.startswith(_SIGNATURE) else None


def _classes(found: Tested) -> Table:
    lines = [
        Line((Cell(name), Cell("" if share is None else f"{share:.1%}", share, "number")))
        for name, share in found.class_accuracy.items()
    ]
    return Table("Test accuracy of each class", (Cell("class"), Cell("accuracy", style="number")), lines)
