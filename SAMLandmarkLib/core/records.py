"""Frozen dataclasses to and from JSON, every field checked: what a file says is believed within bounds only."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ..utils.errors import ModelError

Record = TypeVar("Record")

LONGEST_LIST = 64
LONGEST_TEXT = 200
GREATEST_NUMBER = 1e9


def bounded(low: float, high: float, default: Any = dataclasses.MISSING) -> Any:
    """A field of a dataclass whose numbers lie from `low` to `high`."""
    return dataclasses.field(default=default, metadata={"bounds": (low, high)})


def to_json(record: Any) -> Any:
    """A record, a tuple or a dictionary of records in the types that JSON knows."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {item.name: to_json(getattr(record, item.name)) for item in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {name: to_json(value) for name, value in record.items()}
    return [to_json(value) for value in record] if isinstance(record, tuple | list) else record


def from_json(kind: type[Record], values: object, where: str) -> Record:
    """The record that `to_json` described; fields left out keep their defaults.

    Raises ModelError, naming the field below `where`, for an unknown or missing one, a wrong type, a number that is not
    finite or out of its bounds, and whatever the record itself refuses.
    """
    if not isinstance(values, Mapping):
        raise _refused(where, "a group of fields", values)
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ModelError(
                f"{where}: unknown field {str(name)[:LONGEST_TEXT]!r}; known: {', '.join(fields)}."
            )
    for name, item in fields.items():
        if name not in values and item.default is item.default_factory is dataclasses.MISSING:
            raise ModelError(f"{where}: the field {name!r} is missing.")
    bounds = {name: item.metadata.get("bounds") for name, item in fields.items()}
    return kind(
        **{
            name: checked(hints[name], value, f"{where}.{name}", bounds[name])
            for name, value in values.items()
        }
    )


def checked(hint: Any, value: object, where: str, bounds: tuple[float, float] | None = None) -> Any:
    """A value of JSON as the type of a hint; ModelError names `where` it stands."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        (wanted,) = (part for part in typing.get_args(hint) if part is not type(None))
        return None if value is None else checked(wanted, value, where, bounds)
    if origin is tuple:
        return _checked_tuple(typing.get_args(hint), value, where, bounds)
    if origin is typing.Literal:
        if not isinstance(value, str | int) or value not in typing.get_args(hint):
            raise _refused(where, " or ".join(map(repr, typing.get_args(hint))), value)
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast(type, hint), value, where)
    return _checked_scalar(hint, value, where, bounds)


def _checked_tuple(
    hints: tuple[Any, ...], value: object, where: str, bounds: tuple[float, float] | None
) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) > LONGEST_LIST:
        raise _refused(where, f"a list of at most {LONGEST_LIST}", value)
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(hints) != len(value):
        raise _refused(where, f"a list of {len(hints)}", value)
    return tuple(
        checked(hint, item, f"{where}[{number}]", bounds)
        for number, (hint, item) in enumerate(zip(hints, value, strict=True))
    )


def _checked_scalar(hint: Any, value: object, where: str, bounds: tuple[float, float] | None) -> Any:
    if hint is str and isinstance(value, str) and len(value) <= LONGEST_TEXT:
        return value
    if hint is bool and isinstance(value, bool):
        return value
    if hint in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return _checked_number(hint, value, where, bounds)
    known = {str: f"a text of at most {LONGEST_TEXT} letters", bool: "true or false", int: "a whole number"}
    raise _refused(where, known.get(hint, "a number"), value)


def _checked_number(hint: Any, value: float, where: str, bounds: tuple[float, float] | None) -> float:
    low, high = bounds or (-GREATEST_NUMBER, GREATEST_NUMBER)
    if not (low <= value <= high and math.isfinite(value)):
        raise _refused(where, f"a number from {low:g} to {high:g}", value)
    if hint is int and value != int(value):
        raise _refused(where, "a whole number", value)
    number: float = hint(value)
    return number


def _refused(where: str, wanted: str, got: object) -> ModelError:
    return ModelError(f"{where}: must be {wanted}, not {repr(got)[:LONGEST_TEXT]}.")
