"""How hard the properties try."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, settings

from kits.effort import effort


def explore(examples: int, steps: int = 50) -> settings:
    """New examples in every run, as many as the profile says. How busy the machine is does not matter."""
    return settings(_search(examples, steps), max_examples=effort(examples))


def _search(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class _Luck:
    """Whether `repeat` gives the same examples as always, or new ones."""

    fresh = False


def repeat(examples: int, steps: int = 50) -> settings:
    """The same few examples in every run (new ones within `another_try`); a failure is not made smaller."""
    return settings(
        _search(examples, steps),
        derandomize=not _Luck.fresh,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )


@contextmanager
def another_try() -> Iterator[None]:
    """Let `repeat` give new examples: what hypothesis makes of a seed depends on the modules that are loaded."""
    _Luck.fresh = True
    try:
        yield
    finally:
        _Luck.fresh = False
