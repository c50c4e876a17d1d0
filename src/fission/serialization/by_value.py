"""Pickles jobs for their own processes; classes that another process cannot import travel by value.

A plain pickle names classes and functions, and the process that opens it imports them. That fails for what is defined in
`__main__` (a script, a cell of a notebook) and for lambdas and local classes. Then the payload contains their code, written by
cloudpickle, and begins with a line that names the version of Python, since code objects fit one version only.

Opening a payload runs code: only a job process calls `load`.
"""

import inspect
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from fission.errors import RunError

__all__ = ["dump", "dump_all", "load"]

_MARK = b"fission-by-value "
_MAIN = "__main__"


def dump(value: object) -> bytes:
    """Pickle a value, by value if another process could not open the plain pickle. Exceptions of pickling are passed on."""
    return dump_all([value])[0]


def dump_all(values: Iterable[object]) -> list[bytes]:
    """Pickle the values of one run as `dump` does.

    When one contains classes of `__main__`, all payloads carry these classes: a block of such a class that one job sends
    is opened by any other. Exceptions of pickling are passed on.
    """
    every = list(values)
    first = [_dump(value) for value in every]
    found = {name: thing for _, names in first for name, thing in names.items() if name}
    if not found:
        return [data for data, _ in first]
    # the own classes of a value win: an older cell may have left another class of the same name in the network
    return [
        _by_value(found | {name: thing for name, thing in names.items() if name}, value)[0]
        for value, (_, names) in zip(every, first, strict=True)
    ]


def load(data: bytes) -> Any:
    """Open a payload in a job process, whose `__main__` then has the classes that travelled by value.

    Pickled blocks and checkpoints name these classes, so they must be found there. The module replaces the `__main__` that the
    process was started with. Raises RunError when the payload was written by another version of Python,
    and when cloudpickle is missing.
    """
    if not data.startswith(_MARK):
        return pickle.loads(data)
    head, _, body = data.partition(b"\n")
    version = head[len(_MARK) :].decode("ascii", "replace")
    if version != _version():
        raise RunError(
            "code from a script or notebook runs on the version of Python that it was written with",
            expected=version[:20],
            found=_version(),
            hint="Install the client's version of Python on the node, or move the job to a module",
        )
    try:
        names, value = pickle.loads(body)
    except ModuleNotFoundError as error:
        if error.name != "cloudpickle":
            raise
        raise RunError(
            "code from a script or notebook needs the package cloudpickle, which is not installed",
            hint="Install it, or a release of FISSION that brings it, where the job runs",
        ) from error
    main = types.ModuleType(_MAIN)
    vars(main).update(names)
    sys.modules[_MAIN] = main
    return value


_Names = dict[str, object]
"""Classes and functions of `__main__` by name; those that no name leads to, such as lambdas, are under ""."""


def _dump(value: object) -> tuple[bytes, _Names]:
    """Pickle a value alone; return also what it contains of `__main__`."""
    try:
        plain = pickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001 - by value it may work; if not, that error is raised
        return _by_value({}, value)
    if _MAIN.encode() not in plain:
        return plain, {}
    data, names = _by_value({}, value)
    return (data, names) if names else (plain, {})  # it was only a text


def _by_value(shared: _Names, value: object) -> tuple[bytes, _Names]:
    """Pickle a value with its code and the shared classes; return also what it contains of `__main__`."""
    buffer, names = io.BytesIO(), _Names()
    functions: list[types.FunctionType] = []
    try:
        _pickler(buffer, names, functions).dump((shared, value))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        for function, variable in _unpicklable_variables(functions):
            what = f"the variable {variable!r}, which {function.__qualname__} uses"
            raise pickle.PicklingError(f"{what}: {reason}") from error
        raise
    return b"%s%s\n%s" % (_MARK, _version().encode(), buffer.getvalue()), names


def _pickler(buffer: io.BytesIO, names: _Names, functions: list[types.FunctionType]) -> pickle.Pickler:
    import cloudpickle  # noqa: PLC0415 - only where code travels

    def refuse(file: io.TextIOWrapper) -> Any:
        raise TypeError(f"cannot pickle {type(file).__name__!r} object")

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # it has no annotations
        # cloudpickle would send the contents of an open file: a job opens its files where it runs
        dispatch_table: ClassVar = ChainMap({io.TextIOWrapper: refuse}, cloudpickle.Pickler.dispatch_table)

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, type | types.FunctionType) and obj.__module__ == _MAIN:
                _enter(obj, names)
            reduced = super().reducer_override(obj)
            if isinstance(obj, types.FunctionType) and reduced is not NotImplemented:
                functions.append(obj)
            return reduced

    made: pickle.Pickler = Pickler(buffer, protocol=5)
    return made


def _unpicklable_variables(
    functions: Iterable[types.FunctionType],
) -> Iterator[tuple[types.FunctionType, str]]:
    """Find variables outside of functions that travel by value which cannot travel with them, such as a lock or a device."""
    for function in functions:
        used = inspect.getclosurevars(function)
        for name, value in {**used.globals, **used.nonlocals}.items():
            if isinstance(value, type | types.FunctionType):
                continue  # it is one of the functions itself, or has methods that are
            try:
                _pickler(io.BytesIO(), _Names(), []).dump(value)
            except Exception:  # noqa: BLE001 - pickling runs the user's code
                yield function, name


def _enter(thing: type | types.FunctionType, names: _Names) -> None:
    """Enter a class or function of `__main__`, or the class that contains it."""
    top, _, inner = thing.__qualname__.partition(".")
    if "<" in thing.__qualname__:
        names[""] = thing
    elif not inner:
        names[top] = thing
    elif hasattr(
        sys.modules[_MAIN], top
    ):  # after a cell was run again it may be a newer class than the one in `names`
        names.setdefault(top, getattr(sys.modules[_MAIN], top))


def _version() -> str:
    return sys.implementation.cache_tag or ""
