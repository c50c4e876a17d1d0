"""Jobs with optional inputs are killed: no value is lost, and what a round had is not different the second time."""

import ast
import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from restarted_jobs import Echo, Knob, Optional, Single, Stateless, Steady, Table, Tuned
from supervision import Run
from test_restarts import fresh, random_kills  # noqa: F401 - a fixture

from fission.core.jobs import BaseJob

VALUES = 60
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))]
Kind = type[Tuned] | type[Stateless]


def side_by_side(kind: Kind) -> list[BaseJob]:
    """One knob for two filters; the sink has the results of both."""
    one, two, three, four = (Single(number) for number in range(1, 5))
    left, right = Optional(5), Optional(6)
    return [
        Steady(outputs=[one, two]),
        Knob(VALUES, outputs=[left, right]),
        kind(inputs=[one, left], outputs=[three]),
        kind(inputs=[two, right], outputs=[four]),
        Table(inputs=[three, four]),
    ]


def one_after_the_other(kind: Kind) -> list[BaseJob]:
    """The results of one filter are what the other one filters."""
    one, two, three = (Single(number) for number in range(1, 4))
    left, right = Optional(4), Optional(5)
    return [
        Steady(outputs=[one]),
        Knob(VALUES, outputs=[left, right]),
        kind(inputs=[one, left], outputs=[two]),
        kind(inputs=[two, right], outputs=[three]),
        Table(inputs=[three]),
    ]


async def rows(
    jobs: list[BaseJob], folder: Path, faults: Callable[[Run], Any], *, last: int = 0
) -> list[list[Any]]:
    """Return what the sink has written, without its count of the rows.

    The stream ends when the knob is at its end, or at least at `last`.
    """
    folder.mkdir()
    one = Run(jobs, folder)
    out = folder / str(max(one.lives)) / "out.txt"
    try:
        await one.start()
        await faults(one)
        await one.wait_for(lambda: turned(out, last), "the last value of the knob in every column")
        (folder / "stop").touch()
        await one.finish()
    finally:
        await one.stop()
    assert not any("not known" in line for line in one.logs()), one.logs()
    found = table(out)
    assert [row[0] for row in found] == list(range(1, len(found) + 1))
    return [row[1:] for row in found]


def table(out: Path) -> list[list[Any]]:
    whole, _, _ = out.read_text().rpartition("\n")  # a row may be half written
    return [[ast.literal_eval(text) for text in row] for row in list(csv.reader(whole.splitlines()))[1:]]


def turned(out: Path, last: int) -> bool:
    """Whether the last row has the last value of the knob, or one that is at least `last`."""
    found = table(out) if out.exists() else []
    if not found:
        return False
    knobs = set().union(*(_knobs(result) for result in found[-1][1:]))
    return knobs == {VALUES} if not last else min(knob or 0 for knob in knobs) >= last


def _knobs(result: list[Any]) -> set[Any]:
    """The values of the knob in a result, and in what it was made of."""
    number, knob, _ = result
    return {knob} | (_knobs(number) if isinstance(number, list) else set())


def check(results: list[Any], *, whole: bool) -> None:
    """Results of one filter, round by round: each digest fits, and every value of the knob was there, in order."""
    digest, last = 0, 0
    for number, knob, shown in results:
        digest = crc32(repr((number, knob)).encode(), digest if whole else 0)
        assert shown == digest, (number, knob)
        assert (knob or 0) in (last, last + 1), (number, knob, last)
        last = knob or 0
    assert last == VALUES


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [Tuned, Stateless])
def test_a_chain_of_filters_stays_consistent(kind: Kind, seed: int, tmp_path: Path) -> None:
    found = asyncio.run(rows(one_after_the_other(kind), tmp_path / "run", random_kills(seed, (3, 4, 5))))
    second = [row[0] for row in found]
    check(second, whole=kind is Tuned)
    check([number for number, _, _ in second], whole=kind is Tuned)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [Tuned, Stateless])
def test_filters_side_by_side_stay_consistent(kind: Kind, seed: int, tmp_path: Path) -> None:
    found = asyncio.run(rows(side_by_side(kind), tmp_path / "run", random_kills(seed, (3, 4, 5))))
    for side in (0, 1):
        check([row[side] for row in found], whole=kind is Tuned)


def loop() -> list[BaseJob]:
    """What a filter gets on its optional input is what the job behind it sends back."""
    one, two, three = (Single(number) for number in range(1, 4))
    back = Optional(4)
    return [
        Steady(outputs=[one]),
        Tuned(inputs=[one, back], outputs=[two]),
        Echo(inputs=[two], outputs=[three, back]),
        Table(inputs=[three]),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loop_stays_consistent_and_ends(seed: int, tmp_path: Path) -> None:
    found = asyncio.run(rows(loop(), tmp_path / "run", random_kills(seed, (2, 3, 4)), last=VALUES))
    digest, last = 0, 0
    for row in found:
        number, echo, shown = row[0]
        digest = crc32(repr((number, echo)).encode(), digest)
        assert shown == digest, (number, echo)
        assert last <= (echo or 0) < number, (
            number,
            echo,
            last,
        )  # the sender fails as well, and may lose some
        last = echo or 0
