"""Copies on several machines: late and silent replicas, damaged and forged copies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fission.engine.checkpoints.authentication import job_key
from fission.engine.checkpoints.client import CheckpointClient
from fission.engine.checkpoints.replicator import CheckpointReplicator
from fission.engine.checkpoints.server import CheckpointServer
from fission.engine.checkpoints.store import CheckpointKey, CheckpointStore
from fission.errors import RunError
from fission.runtime.checkpointing.digest import state_digest
from fission.runtime.messages import Checkpoint
from kits.checkpoints import KEY, SECRET, STATE, entry, order_for, place, writer
from kits.waiting import until


async def silent(story: Callable[[str], Awaitable[None]]) -> None:
    """Give the story the address of a server that accepts connections and sends nothing."""
    gone = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        await story(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        gone.set()
        server.close()


def checkpoint_in(folder: Path) -> Checkpoint:
    path = folder / "1.state"
    path.write_bytes(STATE)
    return Checkpoint(1, 5, str(path), state_digest(STATE), len(STATE))


class Machines:
    """Some checkpoint servers and a replicator that uses them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folders = [folder / f"states{number}" for number in range(count)]
        self.stores = [CheckpointStore(one) for one in self.folders]
        self.servers = [CheckpointServer(store, None) for store in self.stores]
        self.replicator = CheckpointReplicator(None)
        self.addresses: list[str] = []

    async def __aenter__(self) -> "Machines":
        self.addresses = [server.listen("127.0.0.1") for server in self.servers]
        self.place(2)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.replicator.close()
        for server in self.servers:
            await server.close()

    def place(self, incarnation: int) -> None:
        for server in self.servers:
            place(server, incarnation)

    def copy(self, number: int) -> Path:
        """The file of the state on one of the machines."""
        return self.folders[number] / "net" / "run" / "3" / state_digest(STATE)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(25):
            await story()

    asyncio.run(limited())


def test_one_copy_is_enough_when_the_other_is_late(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        async with Machines(tmp_path, 1) as machines:
            machines.place(1)
            (good,) = machines.addresses
            machines.replicator.set_replicas("net", (frozen, good))
            for _ in range(2):
                assert await asyncio.wait_for(machines.replicator.store(writer(), checkpoint_in(tmp_path)), 8)
            machines.place(2)
            fetched = machines.replicator.fetch(order_for(frozen, good), tmp_path)
            (brought,) = await asyncio.wait_for(fetched, 8)
            assert Path(brought.path).read_bytes() == STATE

    asyncio.run(asyncio.wait_for(silent(story), 25))


def test_no_answer_is_not_no_checkpoint(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        async with Machines(tmp_path, 1) as machines:
            (own,) = machines.addresses
            assert await machines.replicator.fetch(order_for(own), tmp_path) == ()
            machines.replicator.own = own  # whose copies of its own jobs do not count
            with pytest.raises(RunError, match="no replica that may have its checkpoint answers"):
                await machines.replicator.fetch(order_for(frozen, own), tmp_path)

    asyncio.run(asyncio.wait_for(silent(story), 25))


def test_a_checkpoint_that_must_exist_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def fence(
        one: CheckpointClient, key: CheckpointKey, number: int, real: Any = CheckpointClient.fence
    ) -> Any:
        asked.append(one.address)
        if asked.count(one.address) < 3:
            raise RunError("the checkpoint replica does not answer", where=one.address)
        return await real(one, key, number)

    async def story() -> None:
        async with Machines(tmp_path, 1) as machines:
            machines.stores[0].put(KEY, 1, entry(5), (1, 0), STATE)
            monkeypatch.setattr(CheckpointClient, "fence", fence)
            order = order_for(*machines.addresses, stored=True)
            (brought,) = await machines.replicator.fetch(order, tmp_path)
            assert Path(brought.path).read_bytes() == STATE

    run(story)


def test_a_replica_that_has_left_is_not_asked_again(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        async with Machines(tmp_path, 1) as machines:
            (good,) = machines.addresses
            order = order_for(frozen, good, stored=True)
            fetching = asyncio.create_task(machines.replicator.fetch(order, tmp_path))
            await asyncio.sleep(0)  # it has begun
            machines.replicator.set_replicas("net", (good,))  # the client has lost the other one
            with pytest.raises(RunError, match="not all replicas answer"):
                await asyncio.wait_for(fetching, 8)

    asyncio.run(asyncio.wait_for(silent(story), 25))


# -- damaged copies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"stale", b"sta", b"a longer state"], ids=["flipped", "cut", "longer"])
def test_a_damaged_copy_is_passed_over_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """It ended the network: the digest was checked when the holder had been chosen."""

    async def story() -> None:
        async with Machines(tmp_path, 2) as machines:
            for store in machines.stores:
                store.put(KEY, 1, entry(5), (1, 0), STATE)
            machines.copy(0).write_bytes(damage)
            order = order_for(*machines.addresses, stored=True)
            (brought,) = await machines.replicator.fetch(order, tmp_path)
            assert Path(brought.path).read_bytes() == STATE
            if len(damage) == len(STATE):  # the store itself notices another length
                await until(lambda: machines.copy(0).read_bytes() == STATE, "the copy to be replaced")
                assert f"{machines.addresses[0]}: its copy of a state is damaged" in caplog.text

    run(story)


def test_an_older_good_checkpoint_is_brought_when_the_newest_is_damaged_everywhere(tmp_path: Path) -> None:
    async def story() -> None:
        async with Machines(tmp_path, 2) as machines:
            for store in machines.stores:
                store.put(KEY, 1, entry(4, b"older"), (1, 0), b"older")
                store.put(KEY, 1, entry(5), (1, 0), STATE)
            for number in range(2):
                machines.copy(number).write_bytes(b"stale")
            (brought,) = await machines.replicator.fetch(order_for(*machines.addresses), tmp_path)
            assert (brought.round, Path(brought.path).read_bytes()) == (4, b"older")

    run(story)


def test_two_incarnations_have_different_states_after_one_round(tmp_path: Path) -> None:
    async def story() -> None:
        async with Machines(tmp_path, 1) as machines:
            (own,) = machines.addresses
            for by, state in ((1, b"one"), (2, b"the other")):
                machines.stores[0].put(KEY, by, entry(5, state, by=by), (1, 0), state)
            machines.place(3)
            brought = await machines.replicator.fetch(order_for(own, incarnation=3), tmp_path)
            found = {one.digest: Path(one.path).read_bytes() for one in brought}
            assert found == {state_digest(state): state for state in (b"one", b"the other")}

    run(story)


@pytest.mark.parametrize("left", [STATE, b"stale", b"sta"], ids=["good", "flipped", "cut"])
def test_a_state_that_is_left_in_the_folder_needs_no_room(tmp_path: Path, left: bytes) -> None:
    async def story() -> None:
        async with Machines(tmp_path, 1) as machines:
            machines.stores[0].put(KEY, 1, entry(5), (1, 0), STATE)
            folder = tmp_path / "state"
            folder.mkdir()
            file = folder / "1-1-5.state"
            file.write_bytes(left)
            (brought,) = await machines.replicator.fetch(order_for(*machines.addresses, stored=True), folder)
            assert Path(brought.path).read_bytes() == STATE
            assert (Path(brought.path) == file) == (left == STATE)

    run(story)


# -- forged copies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        replace(entry(9, b"forged"), code="0" * 64),
        replace(entry(9, b"forged"), code=entry(9).code),
        replace(entry(5), round=9),
        replace(entry(5), epoch=9),
        entry(9, b"forged", by=2),
        entry(9, b"forged", by=1 << 60),
    ],
    ids=[
        "no code",
        "that of another state",
        "a later round",
        "a later epoch",
        "of its successor",
        "far ahead",
    ],
)
def test_a_checkpoint_that_no_host_has_signed_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, forged: Any
) -> None:
    """Checkpoints are unpickled: a replica that does not host the job cannot make one that is accepted."""

    async def story() -> None:
        async with Machines(tmp_path, 2) as machines:
            state = STATE if forged.digest == entry(5).digest else b"forged"
            machines.stores[0].put(KEY, forged.incarnation, forged, (0, 0), state)
            for path in machines.folders[0].rglob("from-*"):
                path.unlink()
            machines.stores[1].put(KEY, 1, entry(5), (1, 0), STATE)
            (brought,) = await machines.replicator.fetch(order_for(*machines.addresses), tmp_path)
            assert (brought.epoch, brought.round) == (1, 5)
            assert Path(brought.path).read_bytes() == STATE
            assert "no host of the job has signed: ignored" in caplog.text

    run(story)


def test_the_keys_of_jobs_and_runs_differ() -> None:
    keys = [
        KEY,
        CheckpointKey("net", "run", 4),
        CheckpointKey("net", "other", 3),
        CheckpointKey("n", "run", 3),
    ]
    assert len({job_key(SECRET, key) for key in keys}) == 4
    assert job_key(SECRET, KEY) != job_key(bytes(32), KEY)
    assert SECRET.hex() not in repr(writer())
    assert repr(SECRET) not in repr(order_for())
