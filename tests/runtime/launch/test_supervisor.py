"""The supervisor of a job's process hears everything that the job has said, whatever it was told meanwhile."""

import asyncio
import os
import socket
from types import SimpleNamespace
from typing import Any, cast

from fission.runtime import messages
from fission.runtime.launch.supervisor import Exited, JobSupervisor


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
        supervisor = JobSupervisor(cast(Any, SimpleNamespace()), heard.append, launcher=process)
        await supervisor.start()
        process.control.sendall(messages.encode(messages.Finished(7)))
        process.control.close()
        supervisor.receiver_gone(1)
        supervisor.receiver_gone(2)
        process.gone.set()
        await asyncio.wait_for(supervisor.ended.wait(), 30)

    asyncio.run(main())
    assert heard == [messages.Finished(7), Exited(0)]
