"""A yaml file that somebody else may have written, as plain Python values: numbers, texts, lists and mappings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sweeper.errors import DataError

LARGEST = 1_000_000  # bytes; ours are below 100,000 with a thousand classes


class _Loader(yaml.SafeLoader):
    """Knows no aliases: a few lines of them describe more than any memory holds, and we write none."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to a part of itself")
        return super().compose_node(parent, index)


def read(path: Path, advice: str) -> dict[str, Any]:
    """advice: for the user, what to do about a damaged file.

    Raises: FileNotFoundError if there is no such file, DataError if it is damaged or holds no mapping.
    """
    try:
        if path.stat().st_size > LARGEST or not path.is_file():
            raise yaml.YAMLError(f"it is no file of at most {LARGEST:,} bytes")
        plain = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise
    except Exception as error:  # yaml's own, and those of the dates and numbers in it
        raise DataError(f"{path} is damaged: {error}. {advice}") from error
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise DataError(f"{path} is damaged: it holds no mapping of names to values. {advice}")
    return plain


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """`{"trainer": {"epochs": 3}}` as ("trainer.epochs", 3). A list is one value."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, part in value.items():
        yield from leaves(part, f"{path}.{key}" if path else str(key))
