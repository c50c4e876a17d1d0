"""Typed values as plain data and back: the types that a place may hold are known before, and nothing else is made.

`form_of(T)` reads the annotations of `T` once, and gives a `Form` that turns values of it into plain data (see
`engine.base.Plain`) and back. Annotations may be: str, int, float, bool, bytes, a StrEnum, a dataclass of such, one of
several dataclasses (`A | B`: then the name of the class travels along), `X | None`, `tuple[X, ...]`, `frozenset[X]`, and
dicts and Mappings whose keys are str or int. Keys that are numbers travel as texts.
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


class WireError(RunError):
    """Plain data that is not what it should be: the other side has another version, or is broken."""


class _UnfitError(Exception):
    """What a `Form` cannot read: what it expected, what it found, and the steps to the place, the last one first."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.steps: list[str] = []


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one type travel. `write` trusts its value; `read` trusts nothing and raises `_UnfitError`."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def read(kind: Any, what: str, data: object) -> Any:
    """Read plain data as a value of type `kind`; `what` names it in the error. Raises WireError."""
    try:
        return form_of(kind).read(data)
    except _UnfitError as unfit:
        place = "".join(reversed(unfit.steps))
        raise WireError(
            f"this is no {what}{': ' + place.lstrip('.') if place else ''}",
            expected=unfit.expected,
            found=_told(unfit.found),
            hint="Does the other side have the same version of fission?",
        ) from None


def write(kind: Any, value: object) -> Any:
    """Turn a value of type `kind` into plain data."""
    return form_of(kind).write(value)


@functools.cache
def form_of(kind: Any) -> Form:
    """Return the form of a type. Raises TypeError for a type that cannot travel."""
    if kind in _SCALARS:
        return _scalar(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _either(arguments)
    if origin in (tuple, frozenset):
        return _sequence(origin, form_of(arguments[0]))
    if origin in (dict, Mapping):
        return _mapping(arguments[0], form_of(arguments[1]))
    raise TypeError(f"{kind} cannot travel as plain data")


_SCALARS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", bytes: "bytes"}


def _scalar(kind: type) -> Form:
    def read(data: object) -> object:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise _UnfitError(_SCALARS[kind], data)

    return Form(lambda value: value, read)


def _enum(kind: type[StrEnum]) -> Form:
    def read(data: object) -> StrEnum:
        if isinstance(data, str) and data in kind.__members__.values():
            return kind(data)
        raise _UnfitError(" or ".join(kind), data)

    return Form(str, read)


def _record(kind: Any) -> Form:
    hints = typing.get_type_hints(kind)
    names = tuple(field.name for field in fields(kind) if field.init)
    forms = {name: form_of(hints[name]) for name in names}
    expected = ", ".join(names) or "no fields"

    def write(value: object) -> dict[str, Any]:
        return {name: form.write(getattr(value, name)) for name, form in forms.items()}

    def read(data: object) -> object:
        if not isinstance(data, dict) or data.keys() != forms.keys():
            raise _UnfitError(expected, sorted(map(str, data)) if isinstance(data, dict) else data)
        return kind(**{name: _step(form, data[name], f".{name}") for name, form in forms.items()})

    return Form(write, read)


def _either(kinds: tuple[Any, ...]) -> Form:
    """One of several dataclasses, as [name of the class, fields]; or something that may be None."""
    if types.NoneType in kinds:
        return _optional(kinds)
    forms = {kind.__name__: form_of(kind) for kind in kinds}
    expected = " or ".join(forms)

    def write(value: object) -> list[Any]:
        name = type(value).__name__
        return [name, forms[name].write(value)]

    def read(data: object) -> object:
        if not isinstance(data, list | tuple) or len(data) != 2 or not isinstance(data[0], str):
            raise _UnfitError(expected, data)
        form = forms.get(data[0])
        if form is None:
            raise _UnfitError(expected, data[0])
        return _step(form, data[1], data[0])

    return Form(write, read)


def _optional(kinds: tuple[Any, ...]) -> Form:
    form = form_of(functools.reduce(operator.or_, (kind for kind in kinds if kind is not types.NoneType)))
    return Form(
        lambda value: None if value is None else form.write(value),
        lambda data: None if data is None else form.read(data),
    )


def _sequence(kind: type, item: Form) -> Form:
    def write(value: Any) -> list[Any]:
        return [item.write(one) for one in (sorted(value) if kind is frozenset else value)]

    def read(data: object) -> object:
        if not isinstance(data, list | tuple):
            raise _UnfitError("a list", data)
        return kind(_step(item, one, f"[{index}]") for index, one in enumerate(data))

    return Form(write, read)


def _mapping(key: type, item: Form) -> Form:
    def write(value: Mapping[Any, Any]) -> dict[str, Any]:
        return {str(name): item.write(one) for name, one in value.items()}

    def read(data: object) -> object:
        if not isinstance(data, dict):
            raise _UnfitError("a dict", data)
        return {_key(key, name): _step(item, one, f"[{name}]") for name, one in data.items()}

    return Form(write, read)


def _key(kind: type, text: object) -> str | int:
    if not isinstance(text, str):
        raise _UnfitError("texts as keys", text)
    if kind is str:
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise _UnfitError("whole numbers as keys", text)
    return int(text)


def _step(form: Form, data: object, name: str) -> object:
    try:
        return form.read(data)
    except _UnfitError as unfit:
        unfit.steps.append(name)
        raise


def _told(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else f"{type(found).__name__} {text[:60]}..."
