"""Waiting for conditions: a test polls what it waits for and fails at a deadline."""

import asyncio
import time
from collections.abc import Callable

import pytest

DEADLINE = 60.0
"""Seconds until a wait fails; far more than a busy machine needs."""

_STEP = 0.005
"""Seconds between two evaluations of a condition."""


def wait_for(condition: Callable[[], object], what: str = "", deadline: float = DEADLINE) -> None:
    """Wait until the condition holds; fail with `what` when it does not hold in time."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline:g} s for: {what}")
        time.sleep(_STEP)


async def until(condition: Callable[[], object], what: str = "", deadline: float = DEADLINE) -> None:
    """Wait in an event loop until the condition holds; fail with `what` when it does not hold in time."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline:g} s for: {what}")
        await asyncio.sleep(_STEP)


def steady(value: Callable[[], object], seconds: float) -> Callable[[], bool]:
    """A condition: the value has not changed for some seconds."""
    seen, since = value(), time.monotonic()

    def unchanged() -> bool:
        nonlocal seen, since
        if (now := value()) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    return unchanged
