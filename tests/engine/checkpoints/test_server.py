"""The checkpoint server and its client: what travels, what is refused, and which machine may ask for which job."""

import asyncio
import contextlib
import io
import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from fission.core.groups import LOCAL
from fission.engine.checkpoints import server as server_module
from fission.engine.checkpoints.client import CheckpointClient, DamagedStateError
from fission.engine.checkpoints.server import PIECE, PROTOCOL, CheckpointServer
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointStore
from fission.engine.protocol.interfaces import PlacedJob
from fission.engine.transport.stream import StreamClosed
from fission.errors import RunError
from fission.security.ephemeral import ephemeral_authority
from fission.serialization.plain import write
from kits.checkpoints import KEY, NODE, STATE, client, connected, dialer, entry, place, talk
from kits.waiting import until

LARGE = bytes(range(256)) * 40_000


@pytest.mark.parametrize("secure", [False, True])
def test_states_travel(tmp_path: Path, secure: bool) -> None:
    made = ephemeral_authority(tmp_path / "certs", ["127.0.0.1"])
    places = (made.node("127.0.0.1"), made.client) if secure else (None, None)

    async def story(one: CheckpointClient) -> None:
        large = entry(5, LARGE)
        assert not await one.put(KEY, 1, large, (1, 0), None)
        assert await one.put(KEY, 1, large, (1, 0), io.BytesIO(LARGE))
        one.close()  # the next request makes a connection of its own
        assert await one.fence(KEY, 1) == (large,)
        await one.get(KEY, 1, large, tmp_path / "brought")
        assert (tmp_path / "brought").read_bytes() == LARGE
        assert not list((tmp_path / "states" / ".drafts").iterdir())

    talk(CheckpointStore(tmp_path / "states"), *places, story, placed=PlacedJob(1, LOCAL))


def test_several_requests_share_a_connection(tmp_path: Path) -> None:
    async def story(one: CheckpointClient) -> None:
        large = entry(5, LARGE)
        putting = asyncio.create_task(one.put(KEY, 1, large, (1, 0), io.BytesIO(LARGE)))
        assert await one.fence(KEY, 1) == ()
        assert not putting.done(), "a large state holds up nothing"
        assert await putting

    talk(CheckpointStore(tmp_path), None, None, story)


def test_an_empty_state_travels(tmp_path: Path) -> None:
    async def story(one: CheckpointClient) -> None:
        assert await one.put(KEY, 1, entry(5, b""), (1, 0), io.BytesIO())
        await one.get(KEY, 1, entry(5, b""), tmp_path / "brought")
        assert (tmp_path / "brought").read_bytes() == b""

    talk(CheckpointStore(tmp_path / "states"), None, None, story)


def test_a_damaged_state_is_not_brought(tmp_path: Path) -> None:
    async def story(one: CheckpointClient) -> None:
        for state in (STATE, LARGE):
            assert await one.put(KEY, 1, entry(5, state), (0, 0), io.BytesIO(state))
            stored = tmp_path / "states" / "net" / "run" / "3" / entry(5, state).digest
            stored.write_bytes(b"\xff" + state[1:])
            with pytest.raises(DamagedStateError, match="its copy of a state is damaged"):
                await one.get(KEY, 1, entry(5, state), tmp_path / "brought")
            assert not (tmp_path / "brought").exists()

    talk(CheckpointStore(tmp_path / "states"), None, None, story)


# -- which machine may ask -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ephemeral_authority(tmp_path_factory.mktemp("certs"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"])


async def everything(one: CheckpointClient, incarnation: int, path: Path, line: str) -> None:
    """Try all requests about a job; each is refused with this line."""
    for request in (
        one.put(KEY, incarnation, entry(9), (9, 9), io.BytesIO(STATE)),
        one.fence(KEY, incarnation),
        one.get(KEY, incarnation, entry(5), path),
    ):
        with pytest.raises(RunError, match=line):
            await request


@pytest.mark.parametrize(
    ("incarnation", "node", "line"),
    [
        (2, "127.0.0.3", "the job is placed on another machine"),
        (2, LOCAL, "the job is placed on another machine"),
        (1 << 60, "127.0.0.2", "the client has not announced this incarnation"),
        (1, "127.0.0.2", "has a newer incarnation"),
    ],
    ids=["another node", "the client", "not announced", "an older one"],
)
def test_a_node_may_not_touch_what_it_does_not_host(
    tmp_path: Path, certificates: Any, monkeypatch: pytest.MonkeyPatch, incarnation: int, node: str, line: str
) -> None:
    """A certificate of the cluster is not enough: it could end a job, or put a state that others unpickle."""
    monkeypatch.setattr(server_module, "_ANNOUNCE_SECONDS", 0.1)
    store = CheckpointStore(tmp_path / "states")
    store.put(KEY, 1, entry(5), (1, 0), STATE)

    async def story(one: CheckpointClient) -> None:
        await everything(one, incarnation, tmp_path / "brought", line)

    talk(
        store,
        certificates.node("127.0.0.1"),
        certificates.node("127.0.0.2"),
        story,
        placed=PlacedJob(2, node),
    )
    assert store.fence(KEY, 1) == (entry(5),), "nothing was changed"
    assert not (tmp_path / "brought").exists()


def test_the_client_may_not_speak_for_a_node(tmp_path: Path, certificates: Any) -> None:
    async def story(one: CheckpointClient) -> None:
        await everything(one, 2, tmp_path / "brought", "the job is placed on another machine")

    places = (certificates.node("127.0.0.1"), certificates.client)
    talk(CheckpointStore(tmp_path), *places, story, placed=PlacedJob(2, "127.0.0.2"))


def test_a_request_waits_for_the_announcement(tmp_path: Path) -> None:
    async def story() -> None:
        server = CheckpointServer(CheckpointStore(tmp_path), None)
        one = client(server.listen("127.0.0.1"))
        try:
            asked = asyncio.create_task(one.fence(KEY, 2))
            await until(lambda: one.connected)
            place(server, 1)
            place(server, 2)
            assert await asked == ()
        finally:
            one.close()
            await server.close()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_run_that_is_over_may_store_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_ANNOUNCE_SECONDS", 0.1)

    async def story() -> None:
        server = CheckpointServer(CheckpointStore(tmp_path), None)
        one = client(server.listen("127.0.0.1"))
        try:
            place(server, 1)
            assert await one.fence(KEY, 1) == ()
            server.announce("net", "later", {3: PlacedJob(1, NODE)})
            with pytest.raises(RunError, match="has not announced"):
                await one.fence(KEY, 1)
        finally:
            one.close()
            await server.close()

    asyncio.run(asyncio.wait_for(story(), 20))


# -- who connects --------------------------------------------------------------------------------------------


def test_strangers_get_no_states(tmp_path: Path) -> None:
    ours = ephemeral_authority(tmp_path / "ours", ["127.0.0.1"])
    theirs = ephemeral_authority(tmp_path / "theirs", ["127.0.0.1"])

    async def refused(one: CheckpointClient) -> None:
        with pytest.raises(RunError, match="does not answer"):
            await one.fence(KEY, 1)

    store = CheckpointStore(tmp_path / "states")
    talk(store, ours.node("127.0.0.1"), theirs.client, refused)
    talk(store, ours.node("127.0.0.1"), None, refused)
    assert not (tmp_path / "states").exists()


def test_nobody_listens() -> None:
    async def story() -> None:
        with pytest.raises(RunError, match="does not answer"):
            await client("127.0.0.1:9").fence(KEY, 1)

    asyncio.run(story())


def test_silent_connections_stay_within_the_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """600 of them were kept, because only finished handshakes counted."""
    made = ephemeral_authority(tmp_path / "certs", ["127.0.0.1"])

    async def story(one: CheckpointClient) -> None:
        host, _, port = one.address.rpartition(":")
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            silent: list[socket.socket] = []
            for _ in range(600):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                await loop.sock_connect(sock, (host, int(port)))
                silent.append(sock)
            assert await one.fence(KEY, 1) == ()
            await until(lambda: sum(map(_open, silent)) <= 64, "the last ones to be accepted")
            assert any(map(_open, silent))

    talk(
        CheckpointStore(tmp_path / "s"),
        made.node("127.0.0.1"),
        made.client,
        story,
        placed=PlacedJob(1, LOCAL),
    )
    assert caplog.text.count("refused:") < 100
    assert "Traceback" not in caplog.text


def _open(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_members_that_ask_nothing_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_CONNECTIONS", 3)

    async def story(one: CheckpointClient) -> None:
        clients = [client(one.address) for _ in range(8)]
        for _ in range(2):
            for other in clients:
                assert await asyncio.wait_for(other.fence(KEY, 1), 10) == ()
        assert sum(other.connected for other in clients) <= 3
        for other in clients:
            other.close()

    talk(CheckpointStore(tmp_path), None, None, story)


@pytest.mark.parametrize(
    "first", [{}, [], None, {"checkpoints": PROTOCOL + 1}, {"join": 1}, {"checkpoints": PROTOCOL, "more": 1}]
)
def test_a_first_message_of_another_kind(tmp_path: Path, first: Any) -> None:
    async def story(one: CheckpointClient) -> None:
        host, _, port = one.address.rpartition(":")
        stream = await dialer(None).dial(host, int(port), 5)
        stream.send(first)
        assert "stores checkpoints" in (await stream.receive())["refused"]
        with pytest.raises(StreamClosed):
            await stream.receive()
        assert await one.fence(KEY, 1) == ()

    talk(CheckpointStore(tmp_path), None, None, story)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put", {}),
        ("put", {"entry": {}, "needed_from": [1, 0]}),
        ("put", {"entry": {"epoch": 1}, "needed_from": [1, 0], "state": b""}),
        ("put", {"needed_from": [1]}),
        ("put", {"draft": 7, "needed_from": [1, 0]}),
        ("get", {"digest": 1, "offset": 0}),
        ("get", {"digest": "../../x", "offset": -1}),
        ("append", {"draft": 1, "offset": 5, "data": b"x"}),
        ("append", {"draft": 1, "offset": 0, "data": "x"}),
        ("fence", {"network": "..", "run": "run", "job": 3, "incarnation": 1}),
        ("fence", {"network": "net", "run": "run", "job": [], "incarnation": 1}),
        ("remove", {}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, operation: str, arguments: dict[str, Any]
) -> None:
    async def story(one: CheckpointClient) -> None:
        async with connected(one.address) as rpc:
            whole = {"network": "net", "run": "run", "job": 3, "incarnation": 1, **arguments}
            with pytest.raises(RunError) as error:
                await rpc.request(operation, whole, 5)
            assert "\n" not in str(error.value)
            place = {"network": "net", "run": "run", "job": 3, "incarnation": 1}
            assert await rpc.request("fence", place, 5) == [], "the connection goes on"

    talk(CheckpointStore(tmp_path), None, None, story)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_a_state_that_is_not_complete_is_not_stored(tmp_path: Path) -> None:
    async def story(one: CheckpointClient) -> None:
        with pytest.raises(RunError, match="has become shorter"):
            await one.put(KEY, 1, entry(5, LARGE), (1, 0), io.BytesIO(LARGE[: 2 * PIECE]))
        async with connected(one.address) as rpc:
            await rpc.request("append", {"draft": 1, "offset": 0, "data": LARGE[:PIECE]}, 5)
            where = {"network": "net", "run": "run", "job": 3, "incarnation": 1, "needed_from": [1, 0]}
            put = where | {"entry": write(CheckpointEntry, entry(5, LARGE)), "draft": 1}
            with pytest.raises(RunError, match="a state is not complete"):
                await rpc.request("put", put, 5)
            await rpc.request("append", {"draft": 2, "offset": 0, "data": LARGE[:PIECE]}, 5)
        assert await one.fence(KEY, 1) == ()
        drafts = tmp_path / "states" / ".drafts"
        await until(lambda: not list(drafts.iterdir()), "drafts go with their connection")

    talk(CheckpointStore(tmp_path / "states"), None, None, story)
