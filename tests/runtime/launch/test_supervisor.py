"""The supervisor of a job process reads every message of the job, and ends a process that damages the control socket."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from fission.runtime import messages
from fission.runtime.launch import supervisor as supervisor_module
from fission.runtime.launch.supervisor import Exited, JobSupervisor

SPEC = messages.JobSpec("r", 1, "Job", 1, "/", (), "unix:/x", 1, "INFO", {}, {}, b"")


class Process:
    """Stands for a job's process, which speaks through `control`, and has ended once that was said."""

    pid = 1

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.control = socket.socket()

    async def launch(self, control: int, _out: int, _err: int) -> "Process":
        self.control.close()
        self.control = socket.socket(fileno=os.dup(control))
        return self

    async def wait(self) -> int:
        await self.gone.wait()
        return 0

    def terminate(self) -> None:
        self.gone.set()

    kill = terminate


def test_the_last_words_of_a_job_are_heard_although_it_can_be_told_nothing_any_more() -> None:
    heard: list[Any] = []

    async def main() -> None:
        process = Process()
        supervisor = JobSupervisor(SPEC, heard.append, launcher=process)
        await supervisor.start()
        process.control.sendall(messages.encode(messages.Finished(7)))
        process.control.close()
        supervisor.receiver_gone(1)
        supervisor.receiver_gone(2)
        process.gone.set()
        await asyncio.wait_for(supervisor.ended.wait(), 30)

    asyncio.run(main())
    assert heard == [messages.Finished(7), Exited(0)]


def test_foreign_data_on_the_control_socket_ends_the_job_with_a_reason() -> None:
    events = supervise(lambda process: process.control.sendall(b"print this"))
    assert isinstance(events[0], messages.Failed)
    assert "its control socket carries foreign data" in events[0].message
    assert "descriptors that it has not opened" in events[0].message
    assert events[1:] == [Exited(0)]


def test_a_closed_control_socket_ends_a_job_that_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "GRACE", 0.05)
    events = supervise(lambda process: process.control.close())
    assert isinstance(events[0], messages.Failed)
    assert "is closed although its process continues" in events[0].message
    assert events[1:] == [Exited(0)]


def supervise(action: Callable[[Process], None]) -> list[Any]:
    """The events of a process that does this and then continues until it is killed."""
    heard: list[Any] = []

    async def main() -> None:
        process = Process()
        supervisor = JobSupervisor(SPEC, heard.append, launcher=process)
        await supervisor.start()
        action(process)
        await asyncio.wait_for(supervisor.ended.wait(), 30)
        process.control.close()

    asyncio.run(main())
    return heard
