"""Converts typed values to plain data and back. Only the types that a place declares can be read there.

`converter_for(T)` reads the annotations of `T` once and returns a `Converter` between values of `T` and plain data: None, bool,
int, float, str, bytes, list, and dict with str keys. Annotations may be: str, int, float, bool, bytes, a StrEnum, a dataclass of
such, a union of dataclasses (`A | B`: the name of the class precedes its fields), `X | None`, `tuple[X, ...]`, `tuple[X, Y]`,
`frozenset[X]`, and dicts and Mappings whose keys are str or int. Integer keys are written as text.
"""

import functools
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

from fission.errors import RunError

__all__ = ["Converter", "WireError", "converter_for", "read", "write"]


class WireError(RunError):
    """Plain data does not have the declared type: the sender has another version, or is faulty."""


class _MismatchError(Exception):
    """Raised by `Converter.read`: the expected type, the value found, and the path to it, innermost step first."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.steps: list[str] = []


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts values of one type. `write` trusts its argument; `read` checks everything and raises `_MismatchError`."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def read(kind: Any, what: str, data: object) -> Any:
    """Convert plain data to a value of type `kind`; `what` names it in the error. Raises WireError."""
    try:
        return converter_for(kind).read(data)
    except _MismatchError as mismatch:
        place = "".join(reversed(mismatch.steps))
        raise WireError(
            f"this is no {what}{': ' + place.lstrip('.') if place else ''}",
            expected=mismatch.expected,
            found=_excerpt(mismatch.found),
            hint="Does the other side have the same version of fission?",
        ) from None


def write(kind: Any, value: object) -> Any:
    """Convert a value of type `kind` to plain data."""
    return converter_for(kind).write(value)


@functools.cache
def converter_for(kind: Any) -> Converter:
    """Return the converter for a type. Raises TypeError for a type that has none."""
    if kind in _SCALARS:
        return _scalar(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    converter = _generic(typing.get_origin(kind), typing.get_args(kind))
    if converter is None:
        raise TypeError(f"{kind} cannot be converted to plain data")
    return converter


def _generic(origin: Any, arguments: tuple[Any, ...]) -> Converter | None:
    if origin in (types.UnionType, typing.Union):
        return _union(arguments)
    if origin is tuple and arguments[-1] is not ...:
        return _fixed_tuple(arguments)
    if origin in (tuple, frozenset):
        return _sequence(origin, converter_for(arguments[0]))
    if origin in (dict, Mapping):
        return _mapping(arguments[0], converter_for(arguments[1]))
    return None


_SCALARS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", bytes: "bytes"}


def _scalar(kind: type) -> Converter:
    def read(data: object) -> object:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise _MismatchError(_SCALARS[kind], data)

    return Converter(lambda value: value, read)


def _enum(kind: type[StrEnum]) -> Converter:
    def read(data: object) -> StrEnum:
        if isinstance(data, str) and data in kind.__members__.values():
            return kind(data)
        raise _MismatchError(" or ".join(kind), data)

    return Converter(str, read)


def _record(kind: Any) -> Converter:
    hints = typing.get_type_hints(kind)
    names = tuple(field.name for field in fields(kind) if field.init)
    converters = {name: converter_for(hints[name]) for name in names}
    expected = ", ".join(names) or "no fields"

    def write(value: object) -> dict[str, Any]:
        return {name: converter.write(getattr(value, name)) for name, converter in converters.items()}

    def read(data: object) -> object:
        if not isinstance(data, dict) or data.keys() != converters.keys():
            raise _MismatchError(expected, sorted(map(str, data)) if isinstance(data, dict) else data)
        return kind(
            **{name: _read_at(converter, data[name], f".{name}") for name, converter in converters.items()}
        )

    return Converter(write, read)


def _union(kinds: tuple[Any, ...]) -> Converter:
    """One of several dataclasses, written as [name of the class, fields]; or a value that may be None."""
    if types.NoneType in kinds:
        return _optional(kinds)
    converters = {kind.__name__: converter_for(kind) for kind in kinds}
    expected = " or ".join(converters)

    def write(value: object) -> list[Any]:
        name = type(value).__name__
        return [name, converters[name].write(value)]

    def read(data: object) -> object:
        if not isinstance(data, list | tuple) or len(data) != 2 or not isinstance(data[0], str):
            raise _MismatchError(expected, data)
        converter = converters.get(data[0])
        if converter is None:
            raise _MismatchError(expected, data[0])
        return _read_at(converter, data[1], data[0])

    return Converter(write, read)


def _optional(kinds: tuple[Any, ...]) -> Converter:
    present = functools.reduce(operator.or_, (kind for kind in kinds if kind is not types.NoneType))
    converter = converter_for(present)
    return Converter(
        lambda value: None if value is None else converter.write(value),
        lambda data: None if data is None else converter.read(data),
    )


def _fixed_tuple(kinds: tuple[Any, ...]) -> Converter:
    converters = [converter_for(kind) for kind in kinds]

    def write(value: Any) -> list[Any]:
        return [converter.write(one) for converter, one in zip(converters, value, strict=True)]

    def read(data: object) -> object:
        if not isinstance(data, list | tuple) or len(data) != len(converters):
            raise _MismatchError(f"a list of {len(converters)}", data)
        return tuple(_read_at(converters[index], one, f"[{index}]") for index, one in enumerate(data))

    return Converter(write, read)


def _sequence(kind: type, item: Converter) -> Converter:
    def write(value: Any) -> list[Any]:
        return [item.write(one) for one in (sorted(value) if kind is frozenset else value)]

    def read(data: object) -> object:
        if not isinstance(data, list | tuple):
            raise _MismatchError("a list", data)
        return kind(_read_at(item, one, f"[{index}]") for index, one in enumerate(data))

    return Converter(write, read)


def _mapping(key: type, item: Converter) -> Converter:
    def write(value: Mapping[Any, Any]) -> dict[str, Any]:
        return {str(name): item.write(one) for name, one in value.items()}

    def read(data: object) -> object:
        if not isinstance(data, dict):
            raise _MismatchError("a dict", data)
        return {_key(key, name): _read_at(item, one, f"[{name}]") for name, one in data.items()}

    return Converter(write, read)


def _key(kind: type, text: object) -> str | int:
    if not isinstance(text, str):
        raise _MismatchError("texts as keys", text)
    if kind is str:
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise _MismatchError("whole numbers as keys", text)
    return int(text)


def _read_at(converter: Converter, data: object, step: str) -> object:
    try:
        return converter.read(data)
    except _MismatchError as mismatch:
        mismatch.steps.append(step)
        raise


def _excerpt(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else f"{type(found).__name__} {text[:60]}..."
