"""What the client of a run leans on: lanes, journal, the socket for other terminals."""

import asyncio
import dataclasses
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from fission.engine.client.control_socket import (
    REQUESTS,
    ControlServer,
    DrainRequest,
    MoveRequest,
    Request,
    StopRequest,
    WatchRequest,
    ask_client,
    read_request,
)
from fission.engine.client.private.journal import Journal, remove_journal
from fission.engine.client.serial_executor import SerialExecutor
from fission.errors import RunError


async def no_blocks(_request: WatchRequest) -> AsyncIterator[Mapping[str, Any]]:
    """What a network shows to watchers that has nothing to show."""
    yield {"end": "nothing"}


# -- lanes ---------------------------------------------------------------------------------------------------


def test_work_of_one_lane_waits_for_the_work_before_it() -> None:
    async def story() -> list[str]:
        done: list[str] = []
        lanes = SerialExecutor(lambda error: done.append(f"failed {error}"))
        gate = asyncio.Event()

        def work(name: str, wait: bool = False) -> Callable[[], Coroutine[Any, Any, None]]:
            async def do() -> None:
                if wait:
                    await gate.wait()
                if name == "b":
                    raise ValueError("b")
                done.append(name)

            return do

        lanes.put(1, work("a", wait=True))
        lanes.put(1, work("b"))
        lanes.put(1, work("c"))
        lanes.put(2, work("other"))
        while not done:
            await asyncio.sleep(0)
        assert done == ["other"]
        gate.set()
        while len(done) < 4:
            await asyncio.sleep(0)
        lanes.put(1, work("again"))
        while len(done) < 5:
            await asyncio.sleep(0)
        await lanes.close()
        return done

    assert asyncio.run(story()) == ["other", "a", "failed b", "c", "again"]


def test_a_lane_that_is_cut_does_nothing_more_and_can_be_used_again() -> None:
    async def story() -> list[str]:
        done: list[str] = []
        lanes = SerialExecutor(lambda _error: None)
        never = asyncio.Event()

        async def wait() -> None:
            await never.wait()
            done.append("never")

        async def add() -> None:
            done.append("added")

        lanes.put("x", wait)
        lanes.put("x", add)
        await asyncio.sleep(0)
        lanes.cut(lambda lane: lane == "x")
        lanes.put("x", add)
        while not done:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await lanes.close()
        return done

    assert asyncio.run(story()) == ["added"]


# -- the journal ---------------------------------------------------------------------------------------------


def test_a_journal_gives_back_what_was_written_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "private")
    assert journal.read() is None
    journal.write({"run": "a"})
    journal.write({"run": "b", "jobs": [1, 2]})
    again = Journal(tmp_path / "private")  # as after kill -9: the first one was not closed
    assert again.read() == {"run": "b", "jobs": [1, 2]}
    again.clear()
    assert journal.read() is None
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


def test_a_torn_write_leaves_the_last_whole_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"number": 1})
    (tmp_path / "journal.new").write_bytes(b"half of a")
    assert Journal(tmp_path).read() == {"number": 1}
    journal.write({"number": 2})
    assert Journal(tmp_path).read() == {"number": 2}


def test_a_changed_journal_is_found_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"number": 1, "jobs": [{"id": 1, "incarnation": 7}]})
    data = journal.path.read_bytes()
    damaged = [data[:cut] for cut in range(len(data))] + [
        data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]
    for one in damaged:
        journal.path.write_bytes(one)
        with pytest.raises(RunError, match=r"journal: the journal is damaged.*--fresh"):
            journal.read()
    remove_journal(tmp_path)
    assert journal.read() is None


# -- other terminals -----------------------------------------------------------------------------------------


def test_another_terminal_hears_at_once_of_an_answer_that_fails(tmp_path: Path) -> None:
    async def story() -> None:
        async def answer(_request: Request) -> Mapping[str, Any]:
            raise KeyError("a mistake")

        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        server = ControlServer(tmp_path, answer, no_blocks)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "control.sock")
        writer.write(b'{"do": "status"}\n')
        assert await asyncio.wait_for(reader.read(), 5) == b""  # long before the time for answers is over
        writer.close()
        await server.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("data", "request_"),
    [
        ({"do": "stop", "force": True}, StopRequest(force=True)),
        ({"do": "move", "job": 2, "node": ""}, MoveRequest(2, "")),
        ({"do": "drain", "node": "n", "undo": False}, DrainRequest("n", undo=False)),
    ],
)
def test_requests_are_typed(data: dict[str, object], request_: Request) -> None:
    assert read_request(data) == request_


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "an object of JSON"),
        ({}, "cannot do 'None'"),
        ({"do": "x" * 100_000}, "it can do status, stop"),
        ({"do": "stop"}, "stop takes force (bool)"),
        ({"do": "stop", "force": 1}, "stop takes force (bool)"),
        ({"do": "move", "job": True, "node": ""}, "move takes job (int), node (str)"),
        ({"do": "status", "more": 1}, "status takes nothing"),
    ],
)
def test_other_requests_are_refused_with_what_would_fit(data: object, text: str) -> None:
    problem = read_request(data)
    assert isinstance(problem, str)
    assert text in problem
    assert len(problem) < 200


def test_every_request_can_be_read() -> None:
    values = {"force": False, "undo": False, "job": 1, "node": "n"}
    values |= {"pipe": 1, "rate": 1.0, "size_rate": 1.0, "text": 1, "raw": False}
    for name, kind in REQUESTS.items():
        data = {field.name: values[field.name] for field in dataclasses.fields(kind)}
        assert isinstance(read_request({"do": name, **data}), kind)


def test_another_terminal_asks_and_is_answered(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)  # its socket's path would be too long
    folder.mkdir()

    async def story() -> Any:
        async def answer(request: Request) -> Mapping[str, Any]:
            return {"lines": [f"did {request}"]}

        server = ControlServer(folder, answer, no_blocks)
        await server.start()
        assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600
        answer = await asyncio.to_thread(ask_client, folder, do="status")
        await server.close()
        return answer

    assert asyncio.run(story()) == {"lines": ["did StatusRequest()"]}
    assert ask_client(folder, do="status") is None
    assert not os.listdir(folder)


def test_a_socket_that_a_killed_client_has_left_is_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    assert (tmp_path / "control.sock").exists()
    assert ask_client(tmp_path, do="status") is None


def test_a_client_that_says_nonsense(tmp_path: Path) -> None:
    async def story() -> None:
        async def answer(_request: Request) -> Mapping[str, Any]:
            raise ZeroDivisionError

        server = ControlServer(tmp_path, answer, no_blocks)
        await server.start()
        with pytest.raises(RunError, match="does not answer"):
            await asyncio.to_thread(ask_client, tmp_path, do="status")
        await server.close()

    asyncio.run(story())
