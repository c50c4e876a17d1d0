"""States of jobs that run elsewhere: kept, told apart, forgotten, fenced; over the wire as well."""

import asyncio
import io
import struct
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fission.engine.checkpoints import rpc
from fission.engine.checkpoints.replicator import CheckpointReplicator
from fission.engine.checkpoints.rpc import CheckpointClient, CheckpointServer
from fission.engine.checkpoints.store import LARGEST, CheckpointEntry, CheckpointKey, CheckpointStore
from fission.errors import RunError
from fission.runtime.messages import Checkpoint
from fission.security.ephemeral import ephemeral_authority
from kits.checkpoints import KEY, entry, order_for, talk


def read(store: CheckpointStore, digest: str) -> bytes:
    with store.open(KEY, digest) as file:
        return file.read()


def test_an_entry_needs_its_state_once(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    assert not store.put(KEY, 1, entry(5), (1, 0), None)
    assert store.put(KEY, 1, entry(5), (1, 0), b"state")
    assert store.put(KEY, 1, entry(9), (1, 0), None)
    again = CheckpointStore(tmp_path)
    assert again.fence(KEY, 2) == (entry(5), entry(9))
    assert read(again, "00aa00aa") == b"state"


def test_what_is_not_needed_any_more_is_forgotten(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for round in range(1, 6):
        digest = f"{round:08x}"
        assert store.put(KEY, 1, entry(round, digest, 1), (1, round - 2), bytes([round]))
    assert [one.round for one in store.fence(KEY, 1)] == [3, 4, 5]
    kept = {path.name for path in (tmp_path / "net" / "run" / "3").iterdir()}
    digests = ["00000003", "00000004", "00000005"]
    assert kept == {*digests, *(f"1-{number}-{digests[number - 3]}-1" for number in (3, 4, 5)), "from-1"}
    with pytest.raises(RunError, match="no such state"):
        store.open(KEY, "00000001")


def test_an_older_incarnation_is_refused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.put(KEY, 1, entry(5), (1, 0), b"state")
    store.fence(KEY, 2)
    with pytest.raises(RunError, match="newer incarnation"):
        store.put(KEY, 1, entry(6), (1, 0), b"state")
    assert store.put(KEY, 2, entry(6), (1, 5), None)


def test_runs_that_are_over_are_forgotten(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    other = CheckpointKey("net", "old", 3)
    for key in (KEY, other):
        store.put(key, 1, entry(5), (1, 0), b"state")
    store.keep_runs("net", ["run"])
    assert store.fence(other, 1) == ()
    assert store.fence(KEY, 1) == (entry(5),)


@pytest.mark.parametrize("key", [("..", "run", 1), ("net", "a/b", 1), ("net", "run", "1"), ("", "run", 1)])
def test_names_that_lead_elsewhere(key: tuple[str, str, int]) -> None:
    with pytest.raises(RunError, match="cannot be"):
        CheckpointKey(*key)


def test_a_digest_that_leads_elsewhere(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    with pytest.raises(RunError, match="strange digest"):
        store.put(KEY, 1, entry(1, "../../x"), (1, 0), b"state")
    with pytest.raises(RunError, match="no such state"):
        store.open(KEY, "../../x")


def test_names_that_are_not_english(tmp_path: Path) -> None:
    store, key = CheckpointStore(tmp_path), CheckpointKey("größe", "0a1b", 1)
    assert store.put(key, 1, entry(5), (1, 0), b"state")
    assert store.fence(key, 2) == (entry(5),)


def test_a_damaged_state_does_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, folder = CheckpointStore(tmp_path), tmp_path / "net" / "run" / "3"
    for round in (5, 6):
        store.put(KEY, 1, entry(round, f"{round:08x}"), (1, 0), b"state")
    (folder / "00000006").write_bytes(b"")  # as a power cut leaves it
    (folder / "index.json").write_text("nothing that we know")
    assert CheckpointStore(tmp_path).fence(KEY, 2) == (entry(5, "00000005"),)
    assert "a state of job 3 of net is damaged: 1-6-00000006-5" in caplog.text
    assert sorted(path.name for path in folder.iterdir()) == ["00000005", "1-5-00000005-5", "from-2"]
    assert not store.put(KEY, 2, entry(6, "00000006"), (1, 0), None)
    assert store.put(KEY, 2, entry(6, "00000006"), (1, 0), b"state")
    assert read(store, "00000006") == b"state"


@pytest.mark.parametrize(
    "strange", [CheckpointEntry(1, -5, "00aa00aa", 5), CheckpointEntry("../x", 1, "00aa00aa", 5)]
)  # type: ignore[arg-type]
def test_a_place_that_cannot_be(tmp_path: Path, strange: CheckpointEntry) -> None:
    with pytest.raises(RunError, match="strange place"):
        CheckpointStore(tmp_path).put(KEY, 1, strange, (1, 0), b"state")
    assert not list(tmp_path.iterdir())


def test_a_state_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="too large"):
        CheckpointStore(tmp_path).put(KEY, 1, entry(1, size=LARGEST + 1), (1, 0), None)


def test_threads_do_not_undo_what_others_did(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)

    def put(incarnation: int, round: int) -> None:
        try:
            store.put(KEY, incarnation, entry(round, f"{round:08x}", 1), (1, 0), b"x")
        except RunError as error:
            assert "newer incarnation" in str(error)  # noqa: PT017 - one of two good ends

    with ThreadPoolExecutor(8) as threads:
        for newest in range(2, 60):
            puts = [threads.submit(put, newest - 1, 4 * newest + i) for i in range(4)]
            threads.submit(store.fence, KEY, newest).result()
            for one in puts:
                one.result()
            with pytest.raises(RunError, match="newer incarnation"):
                store.put(KEY, newest - 1, entry(1), (1, 0), b"state")


# -- over the wire -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_states_travel(tmp_path: Path, secure: bool) -> None:
    made = ephemeral_authority(tmp_path / "certs", ["127.0.0.1"])
    places = (made.node("127.0.0.1"), made.client) if secure else (None, None)
    state = bytes(range(256)) * 40_000

    async def story(link: CheckpointClient) -> None:
        one = entry(5, size=len(state))
        assert not await link.put(KEY, 1, one, (1, 0), None)
        assert await link.put(KEY, 1, one, (1, 0), io.BytesIO(state))
        link.close()  # the next request makes a connection of its own
        assert await link.fence(KEY, 2) == (one,)
        await link.get(KEY, one.digest, tmp_path / "brought")
        assert (tmp_path / "brought").read_bytes() == state
        assert not list((tmp_path / "states" / ".drafts").iterdir())
        with pytest.raises(RunError, match="newer incarnation"):
            await link.put(KEY, 1, one, (1, 0), None)

    talk(CheckpointStore(tmp_path / "states"), *places, story)


def test_strangers_get_no_states(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours", ["127.0.0.1"])
    theirs = ephemeral_authority(tmp_path / "theirs", ["127.0.0.1"])

    async def refused(link: CheckpointClient) -> None:
        with pytest.raises(RunError, match="does not answer"):
            await link.fence(KEY, 1)

    store = CheckpointStore(tmp_path / "states")
    talk(store, ours.node("127.0.0.1"), theirs.client, refused)
    talk(store, ours.node("127.0.0.1"), None, refused)
    assert not (tmp_path / "states").exists()


def test_nobody_listens() -> None:
    async def story() -> None:
        with pytest.raises(RunError, match="does not answer"):
            await CheckpointClient("127.0.0.1:9", None).fence(KEY, 1)

    asyncio.run(story())


# -- keepers that do not answer ------------------------------------------------------------------------------


async def silent(story: Callable[[str], Awaitable[None]]) -> None:
    """Tell the story the address of one who takes connections and says nothing."""
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
    path.write_bytes(b"state")
    return Checkpoint(1, 5, str(path), "00aa00aa", 5)


def test_one_copy_is_enough_when_the_other_is_late(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        server = CheckpointServer(CheckpointStore(tmp_path / "states"), None)
        good = await server.start("127.0.0.1")
        keeper = CheckpointReplicator(None)
        keeper.set_keepers("net", (frozen, good))
        checkpoint = checkpoint_in(tmp_path)
        try:
            assert await asyncio.wait_for(keeper.store("net", "run", 3, 1, checkpoint), 8)
            assert await asyncio.wait_for(keeper.store("net", "run", 3, 1, checkpoint), 8)
            (brought,) = await asyncio.wait_for(keeper.fetch(order_for(frozen, good), tmp_path), 8)
            assert Path(brought.path).read_bytes() == b"state"
        finally:
            keeper.close()
            await server.close()

    asyncio.run(asyncio.wait_for(silent(story), 25))


def test_nobody_answers_is_not_nobody_has_it(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        server = CheckpointServer(CheckpointStore(tmp_path / "states"), None)
        keeper = CheckpointReplicator(None)
        own = await server.start("127.0.0.1")
        try:
            assert await keeper.fetch(order_for(own), tmp_path) == ()
            keeper.own = own  # which has nothing of jobs that were here
            with pytest.raises(RunError, match="nobody who may keep its state answers"):
                await keeper.fetch(order_for(frozen, own), tmp_path)
        finally:
            keeper.close()
            await server.close()

    asyncio.run(asyncio.wait_for(silent(story), 25))


def test_a_state_that_must_be_somewhere_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def fence(
        link: CheckpointClient, key: CheckpointKey, number: int, real: Any = CheckpointClient.fence
    ) -> Any:
        asked.append(link.address)
        if asked.count(link.address) < 3:
            raise RunError("who keeps states does not answer", where=link.address)
        return await real(link, key, number)

    async def story() -> None:
        store = CheckpointStore(tmp_path / "states")
        store.put(KEY, 1, entry(5), (1, 0), b"state")
        server = CheckpointServer(store, None)
        keeper = CheckpointReplicator(None)
        try:
            order = order_for(await server.start("127.0.0.1"), stored=True)
            with monkeypatch.context() as patch:
                patch.setattr(CheckpointClient, "fence", fence)
                (brought,) = await keeper.fetch(order, tmp_path)
            assert Path(brought.path).read_bytes() == b"state"
        finally:
            keeper.close()
            await server.close()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_who_is_no_keeper_any_more_is_not_asked_again(tmp_path: Path) -> None:
    async def story(frozen: str) -> None:
        server = CheckpointServer(CheckpointStore(tmp_path / "states"), None)
        keeper = CheckpointReplicator(None)
        try:
            good = await server.start("127.0.0.1")
            fetching = asyncio.create_task(keeper.fetch(order_for(frozen, good, stored=True), tmp_path))
            await asyncio.sleep(0)  # it has begun
            keeper.set_keepers("net", (good,))  # the client has lost the other one
            with pytest.raises(RunError, match="not all answer who may keep it"):
                await asyncio.wait_for(fetching, 8)
        finally:
            keeper.close()
            await server.close()

    asyncio.run(asyncio.wait_for(silent(story), 25))


def test_a_request_that_makes_no_sense_ends_its_connection_only(tmp_path: Path) -> None:
    async def story(link: CheckpointClient) -> None:
        with pytest.raises(RunError, match="does not answer"):
            await link.put(KEY, 1, entry(5), (), io.BytesIO(b"state"))  # type: ignore[arg-type]
        assert await link.fence(KEY, 1) == ()

    talk(CheckpointStore(tmp_path), None, None, story)


def test_those_who_ask_nothing_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "_CONNECTIONS", 3)

    async def story(link: CheckpointClient) -> None:
        links = [CheckpointClient(link.address, None) for _ in range(8)]
        for _ in range(2):
            for one in links:
                assert await asyncio.wait_for(one.fence(KEY, 1), 10) == ()
        for one in links:
            one.close()

    talk(CheckpointStore(tmp_path), None, None, story)


@pytest.mark.parametrize(
    "said",
    [
        struct.pack("<IQ", 10, 1 << 40),
        struct.pack("<IQ", 1 << 30, 0),
        struct.pack("<IQ", 2, 0) + b"[]",
        struct.pack("<IQ", 2, 0) + b"\xff\xff",
        struct.pack("<IQ", 2, 0) + b"{}",
    ],
)
def test_messages_that_nobody_sends(tmp_path: Path, said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def story(link: CheckpointClient) -> None:
        host, _, port = link.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        assert await link.fence(KEY, 1) == ()

    talk(CheckpointStore(tmp_path), None, None, story)
    (line,) = [one.getMessage() for one in caplog.records if "about states was closed" in one.getMessage()]
    assert "\n" not in line


def test_who_connects_before_it_serves_waits(tmp_path: Path) -> None:
    async def story() -> None:
        server = CheckpointServer(CheckpointStore(tmp_path), None)
        link = CheckpointClient(server.listen("127.0.0.1"), None)
        asked = asyncio.create_task(link.fence(KEY, 1))
        await server.serve()
        assert await asked == ()
        link.close()
        await server.close()

    asyncio.run(asyncio.wait_for(story(), 20))
