"""Whether a `return` was forgotten, for every form that a function can have."""

# ruff: noqa: E731, RET503

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fission.core.jobs import SourceJob
from fission.project.returns import gives_nothing


def falls_through(value):
    value += 1


def only_bare_returns(value):
    if value:
        return
    return


def inner_functions_return(value):
    def inner():
        return value

    class Inner:
        def method(self):
            return value

    call = lambda: value
    inner(), Inner(), call()


def yields_nothing():
    yield
    return 5


def returns_a_value(value):
    if value:
        return value


def returns_none_on_purpose(value):
    return None


def yields_a_value():
    yield 1


def yields_from(values):
    yield from values


def deep(value):
    while True:
        try:
            with value:
                for one in value:
                    match one:
                        case 1:
                            return one
        finally:
            pass


def only_raises(value):
    raise NotImplementedError


def loops_for_ever(value):
    while True:
        value += 1


def leaves_a_loop(value):
    while True:
        value += 1
        if value > 5:
            break


def ends_the_process(value):
    value += 1
    sys.exit(value)


def finishes(self, value):
    self.count += value
    self.finish()


async def asynchronous(value):
    value += 1


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def replaced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        function(*arguments)
        return arguments

    return wrapper


class Callables:
    def method(self, value):
        value += 1

    @kept
    def decorated(self, value):
        value += 1

    @replaced
    def wrapped(self, value):
        value += 1

    @staticmethod
    def static(value):
        value += 1

    def __call__(self, value):
        value += 1


NOTHING = [
    falls_through,
    only_bare_returns,
    inner_functions_return,
    yields_nothing,
    leaves_a_loop,
    Callables().method,
    Callables().decorated,
    Callables.method,
    Callables.static,
]
SOMETHING = [
    returns_a_value,
    returns_none_on_purpose,
    yields_a_value,
    yields_from,
    deep,
    only_raises,
    loops_for_ever,
    ends_the_process,
    finishes,
    asynchronous,
    lambda value: None,
    Callables().wrapped,
    Callables(),
    functools.partial(falls_through, 1),
    max,
    SourceJob().run,
]


@pytest.mark.parametrize("function", NOTHING)
def test_a_forgotten_return_is_found(function: Callable[..., Any]) -> None:
    assert gives_nothing(function)


@pytest.mark.parametrize("function", SOMETHING)
def test_anything_else_is_let_pass(function: Callable[..., Any]) -> None:
    assert not gives_nothing(function)


def test_a_function_without_source_is_let_pass() -> None:
    names: dict[str, Any] = {"__name__": "typed"}
    exec("def run(value): value += 1", names)  # as in a console
    assert not gives_nothing(names["run"])
