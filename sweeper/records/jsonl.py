"""Files of one JSON object a line, only ever appended to, of which a crash tears at most the last line."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator
from dataclasses import fields
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from sweeper.errors import DataError
from sweeper.records import typed
from sweeper.records.typed import Row


def append(file: FileIO, lines: bytes, size: int, *, sync: bool) -> None:
    """All of it or nothing. size: bytes of the file. sync: on the disk when it returns.

    Raises: OSError if the disk is full.
    """
    try:
        if file.write(lines) < len(lines):  # what had room
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
        if sync:
            os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise


def cut_torn_line(file: BinaryIO) -> int:
    """Cuts what a crash left of a last line in the middle of writing it; returns the bytes that stay."""
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)
    return whole


def rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    """A .jsonl file as dataclasses; what they have no field for is left out. Nothing if there is no such file.

    Raises: DataError naming the line if one is damaged.
    """
    known = {field.name for field in fields(kind)}
    for number, line in lines(path) if path.exists() else ():
        row = parse(path, number, line)
        try:
            yield typed.make(kind, {key: value for key, value in row.items() if key in known})
        except TypeError as error:
            raise DataError(f"{path}, line {number}: {error}. Delete that line.") from None


def lines(path: Path, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a .jsonl file with their numbers from 1. A torn last line is left out, and what lies after
    the first `until` bytes.

    Raises: FileNotFoundError if there is none, DataError if it cannot be read.
    """
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise DataError(f"{path} is no file. Move it away.")
    left = math.inf if until is None else until
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    return
                yield number, line
    except PermissionError:
        raise DataError(f"{path} may not be read by you. Ask whom it belongs to.") from None


def parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Raises: DataError if the line is not a JSON object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, line {number} is damaged: {line.decode(errors='replace').strip()[:60]!r} is not a JSON object. "
            "Delete that line: every other one stands for itself."
        )
    return row
