"""Kill the processes of jobs while blocks are on their way: the sink gets what it gets undisturbed."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from restarted_jobs import (
    Bytes,
    Endless,
    Generator,
    Hear,
    Late,
    Mix,
    Numbers,
    Optional,
    Paced,
    PacedGenerator,
    Pairs,
    Single,
    Source,
    Sum,
    Table,
    Tight,
    Triple,
    Write,
)
from supervision import Run

from fission.core import base
from fission.core.jobs import BaseJob


@pytest.fixture(autouse=True)
def fresh():
    base.reset()
    yield
    base.reset()


def chain() -> list[BaseJob]:
    one, two = Single(1), Single(2)
    return [Numbers(2000, outputs=[one]), Mix(inputs=[one], outputs=[two]), Write(inputs=[two])]


def long_chain() -> list[BaseJob]:
    one, two, three, four = Single(1), Tight(2), Triple(3), Single(4)
    return [
        Numbers(2100, outputs=[one]),
        Mix(inputs=[one], outputs=[two]),
        Mix(inputs=[two], outputs=[three]),
        Mix(inputs=[three], outputs=[four]),
        Write(inputs=[four]),
    ]


def diamond() -> list[BaseJob]:
    one, two, three, four, five = Single(1), Single(2), Tight(3), Single(4), Single(5)
    return [
        Numbers(2000, outputs=[one, two]),
        Mix(inputs=[one], outputs=[three]),
        Mix(inputs=[two], outputs=[four]),
        Mix(inputs=[three, four], outputs=[five]),
        Write(inputs=[five]),
    ]


def states() -> list[BaseJob]:
    one, two, three = Single(1), Single(2), Single(3)
    return [
        Source(3000, outputs=[one]),
        Sum(inputs=[one], outputs=[two]),
        Mix(inputs=[two], outputs=[three]),
        Table(inputs=[three]),
    ]


def tight_states() -> list[BaseJob]:
    one, two, three, four, five = Tight(1), Tight(2), Triple(3), Triple(4), Single(5)
    return [
        Generator(3000, outputs=[one, two]),
        Sum(inputs=[one], outputs=[three]),
        Mix(inputs=[two], outputs=[four]),
        Sum(inputs=[three, four], outputs=[five]),
        Bytes(inputs=[five]),
    ]


def late_state() -> list[BaseJob]:
    one, two, three = Single(1), Single(2), Single(3)
    return [
        Generator(3000, outputs=[one]),
        Sum(inputs=[one], outputs=[two]),
        Late(inputs=[two], outputs=[three]),
        Table(inputs=[three]),
    ]


async def run(
    jobs: list[BaseJob], folder: Path, faults: Callable[[Run], object] | None, *, hold: bool = False
) -> str:
    """Return what the sink has written. `hold`: the stream does not end before something was killed."""
    folder.mkdir()
    if hold:
        (folder / "hold").touch()
    one = Run(jobs, folder)
    try:
        await one.start()
        if faults is not None:
            await faults(one)
        await one.finish()
        assert faults is None or any(life.incarnation > 1 for life in one.lives.values())
    finally:
        await one.stop()
    sink = max(one.lives)
    return (folder / str(sink) / "out.txt").read_text()


def random_kills(seed: int, victims: tuple[int, ...], *, count: int = 5):
    """Kill one, two or all of the victims at once, when some rounds have passed since the last time."""

    async def faults(one: Run) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            await one.wait_for(lambda: all(life.ready for life in one.lives.values()), "all are ready")
            await asyncio.sleep(chance.uniform(0.0, 0.1))  # anywhere in the stream
            one.kill(*chance.sample(victims, chance.randint(1, len(victims))))
            (one.folder / "hold").unlink(missing_ok=True)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.uniform(0.0, 0.1))
                one.kill(*victims)  # also while they settle

    return faults


SEEDS = [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)]

_undisturbed: dict[Callable[[], list[BaseJob]], str] = {}


def undisturbed(network: Callable[[], list[BaseJob]], folder: Path) -> str:
    """What the sink gets when nothing happens: found out once."""
    if network not in _undisturbed:
        base.reset()
        _undisturbed[network] = asyncio.run(run(network(), folder / "undisturbed", None))
    return _undisturbed[network]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("network", "victims"), [(chain, (2,)), (long_chain, (2, 3, 4)), (diamond, (2, 3, 4))]
)
def test_connectors_without_state_go_on_where_their_receivers_are(network, victims, seed, tmp_path):
    disturbed = asyncio.run(run(network(), tmp_path / "b", random_kills(seed, victims), hold=True))
    assert disturbed == undisturbed(network, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("network", "victims"),
    [(states, (2, 3)), (states, (1, 2, 3, 4)), (tight_states, (1, 2, 3, 4, 5)), (late_state, (1, 2, 3, 4))],
)
def test_jobs_go_on_in_the_state_that_they_were_in(network, victims, seed, tmp_path):
    disturbed = asyncio.run(run(network(), tmp_path / "b", random_kills(seed, victims), hold=True))
    assert disturbed == undisturbed(network, tmp_path)


def test_a_state_that_is_lost_is_told(tmp_path):
    one, two = Single(1), Single(2)
    jobs = [Generator(9_000_000, 0.001, outputs=[one]), Sum(inputs=[one], outputs=[two]), Table(inputs=[two])]

    async def story() -> Run:
        run = Run(jobs, tmp_path)
        life = run.lives[2]
        try:
            await run.start()
            await run.wait_for(lambda: life.stored and life.stored[-1].needed_from > (1, 100), "releases")
            run.keep_nothing(2)
            run.kill(2)
            with pytest.raises(AssertionError, match="its stored state is lost"):
                await run.wait_for(lambda: life.incarnation == 2 and life.ready, "a failure")
        finally:
            await run.stop()
        return run

    (failed,) = asyncio.run(story()).failures
    assert failed.where == "connect"


@pytest.mark.parametrize("other", [Numbers, Generator])
def test_a_live_source_that_is_restarted_resets_all_that_meet_it(other, tmp_path):
    one, two = Single(1), Single(2)
    jobs = [Endless(outputs=[one]), other(9_000_000, 0.02, outputs=[two]), Pairs(inputs=[one, two])]

    async def faults(run: Run) -> None:
        life = run.lives[1]
        for incarnation in (1, 2, 3):
            await run.wait_for(lambda n=incarnation: life.incarnation == n and life.ready, "a source")
            life.rounds = 0
            await run.wait_for(lambda: life.rounds > 100, "rounds")
            if incarnation < 3:
                run.kill(1)
        (run.folder / "stop").touch()

    rows = [row.split(",") for row in asyncio.run(run(jobs, tmp_path / "a", faults)).splitlines()]
    assert [int(row[2]) for row in rows if row[2] != "-"] == list(
        range(1, 1 + sum(row[2] != "-" for row in rows))
    )
    epochs: list[list[list[str]]] = []
    for row in rows:
        if row[0]:
            epochs.append([])
        epochs[-1].append(row)
    assert len(epochs) == 3
    for epoch in epochs:
        whole = [(int(a), int(b)) for _, a, b in epoch if "-" not in (a, b)]
        assert whole, "a whole epoch of dummies"
        assert {b - a for a, b in whole} == {whole[0][1] - whole[0][0]}, "they are out of step"
        assert [a for a, _ in whole] == list(range(1, len(whole) + 1))


def test_who_hears_a_sender_that_has_finished_ends_after_a_restart(tmp_path):
    one, two = Optional(1), Single(2)
    source = Numbers(40, outputs=[one, two])
    jobs = [source, Hear(inputs=[one]), Write(inputs=[two])]

    async def faults(run: Run) -> None:
        await run.wait_for(lambda: run.lives[1].finished, "the end of the source")
        run.kill(2)

    asyncio.run(run(jobs, tmp_path / "a", faults))


@pytest.mark.parametrize(("kind", "victim"), [(Paced, 1), (PacedGenerator, 1), (Paced, 2)])
def test_a_job_knows_which_rounds_its_receivers_have_already(kind, victim, tmp_path):
    one, two = Single(1), Single(2)
    first = kind if victim == 1 else PacedGenerator
    second = Paced if victim == 2 else Mix
    jobs = [first(400, outputs=[one]), second(*((400,) * (victim == 2)), inputs=[one], outputs=[two])]
    jobs.append(Table(inputs=[two]))

    async def faults(run: Run) -> None:
        await run.wait_for(lambda: run.lives[3].rounds > 100, "rounds")
        run.kill(victim)

    rows = asyncio.run(run(jobs, tmp_path / "a", faults, hold=True)).splitlines()
    assert len(rows) == 401
    said = [line.split() for line in (tmp_path / "a" / str(victim) / "rounds").read_text().splitlines()]
    before, after = ([one for one in said if (one[1] == said[0][1]) is old] for old in (True, False))
    assert {one[2] for one in before} == {"False"}
    again = [int(one[0]) for one in after if one[2] == "True"]
    assert len(again) > 50
    assert again[-1] <= int(before[-1][0])
    assert [int(one[0]) for one in after] == list(range(again[0], 401))
    assert [one[2] for one in after] == ["True"] * len(again) + ["False"] * (len(after) - len(again))
