"""Rows of files that somebody else may have written, as dataclasses: each value is of the type that its field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Row = TypeVar("Row")
LARGEST = 2**63  # of whole numbers; larger ones become no float, and are nothing that we count


def make(kind: type[Row], row: Mapping[str, Any]) -> Row:
    """Lists become tuples. A field of type Any takes a number, a text, a truth value or None.

    Raises: TypeError naming a field that `kind` does not have, one that is missing, or one of another type.
    """
    known = _tests(kind)
    if not row.keys() <= known.keys():
        raise TypeError(f"unknown {', '.join(map(repr, row.keys() - known.keys()))}"[:200])
    for field in fields(kind):
        if field.name in row:
            if not known[field.name](row[field.name]):
                raise TypeError(f"{field.name} is {row[field.name]!r:.60}, not of type {field.type}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise TypeError(f"no {field.name}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})


@cache
def _tests(kind: type) -> dict[str, Callable[[Any], bool]]:
    """By name of a field: whether a value is one of it."""
    return {name: _test(hint) for name, hint in get_type_hints(kind).items()}


def _test(hint: Any) -> Callable[[Any], bool]:
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        tests = [_test(part) for part in parts]
        return lambda value: any(test(value) for test in tests)
    if kind is Literal:
        return lambda value: isinstance(value, str) and value in parts
    if kind is dict:
        of_values = _test(parts[1])
        return lambda value: isinstance(value, dict) and all(_is_text(key) and of_values(value[key]) for key in value)
    if kind is tuple:
        of_parts, size = _test(parts[0]), None if parts[-1] is Ellipsis else len(parts)
        return lambda value: (
            isinstance(value, list | tuple) and len(value) == (size or len(value)) and all(map(of_parts, value))
        )
    return _SCALARS[hint]


def _is_text(value: Any) -> bool:
    """That a file or a terminal takes: half of a surrogate pair is none."""
    return isinstance(value, str) and (value.isascii() or value.encode(errors="ignore").decode() == value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_whole(value)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool) or _is_number(value) or _is_text(value)


_SCALARS = {
    str: _is_text,
    int: _is_whole,
    float: _is_number,
    bool: lambda value: isinstance(value, bool),
    NoneType: lambda value: value is None,
    Any: _is_scalar,
}
