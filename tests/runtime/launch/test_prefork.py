"""Job processes that are forked from a warm one: the same as fresh ones, and nothing is shared that must not be."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from fission.core import base
from fission.runtime.launch import fork_server, prefork
from fission.runtime.launch.prefork import UNKNOWN, ForkServerLauncher
from fission.runtime.launch.supervisor import Exited, JobSupervisor, OutputLine
from fission.runtime.messages import Ready
from kits.hosts import make_jobs, order
from kits.waiting import until


@pytest.fixture
def jobs(tmp_path: Path) -> Any:
    base.reset()
    yield make_jobs(tmp_path / "code")
    base.reset()


class Spare:
    """A launcher, and the supervisors of the jobs that it has started."""

    def __init__(self, folder: Path) -> None:
        self.launcher = ForkServerLauncher({})
        self.seen: dict[int, list[Any]] = {}
        self._folder = folder

    async def start(self, job: Any) -> JobSupervisor:
        events = self.seen[job.id] = []
        folder = self._folder / str(job.id)
        folder.mkdir()
        spec = replace(
            order(job).spec,
            folder=str(folder),
            sys_path=(str(self._folder / "code"),),
            listen=f"unix:{folder}/socket",
        )
        supervisor = JobSupervisor(spec, events.append, launcher=self.launcher)
        await supervisor.start()
        return supervisor

    def lines(self, job: Any) -> list[str]:
        return [event.text for event in self.seen[job.id] if isinstance(event, OutputLine)]

    async def ready(self, job: Any) -> None:
        await until(lambda: Ready() in self.seen[job.id], f"ready among {self.seen[job.id]}")


def play(folder: Path, scenario: Callable[[Spare], Awaitable[None]]) -> None:
    async def run() -> None:
        spare = Spare(folder)
        try:
            async with asyncio.timeout(60):
                await scenario(spare)
        finally:
            spare.launcher.close()

    asyncio.run(run())
    assert not psutil.Process().children(recursive=True)


def server() -> psutil.Process:
    (found,) = [one for one in psutil.Process().children() if one.name() == "fission-fork"]
    return found


def test_a_forked_job_works_like_any_other(tmp_path: Path, jobs: Any) -> None:
    async def scenario(spare: Spare) -> None:
        talker, raiser = jobs.Talker(), jobs.Raiser()
        running, failing = await spare.start(talker), await spare.start(raiser)
        await spare.ready(talker)
        await failing.ended.wait()
        assert spare.lines(talker) == [f"hello from {tmp_path}/{talker.id}"]
        assert spare.seen[raiser.id][-1] == Exited(1)
        assert server().pid == psutil.Process(running.pid).ppid()
        assert os.getsid(running.pid or 0) == running.pid
        process = psutil.Process(running.pid)
        assert " ".join(process.cmdline()).strip() == f"fission: job Talker {talker.id}"
        assert process.name() == f"job-{talker.id}"
        assert process.environ()["PYTHONIOENCODING"] == "utf-8"
        await running.stop()
        assert spare.seen[talker.id][-1] == Exited(0)

    play(tmp_path, scenario)


def test_random_numbers_are_not_shared(tmp_path: Path, jobs: Any) -> None:
    async def scenario(spare: Spare) -> None:
        dice = [jobs.Dice() for _ in range(3)]
        for one in dice:
            await (await spare.start(one)).ended.wait()
        numbers = [spare.lines(one) for one in dice]
        assert all(len(lines) == 3 for lines in numbers)
        for thrown in zip(*numbers, strict=True):
            assert len(set(thrown)) == 3, thrown

    play(tmp_path, scenario)


def test_the_server_has_one_thread_and_no_files(tmp_path: Path, jobs: Any) -> None:
    async def scenario(spare: Spare) -> None:
        talker = jobs.Talker()
        running = await spare.start(talker)
        await spare.ready(talker)
        assert server().num_threads() == 1
        assert server().num_fds() <= 6  # stdin, stdout, stderr, the owner, and two that wake it
        fds = psutil.Process(running.pid).num_fds()
        assert fds <= 12
        await running.stop()

    play(tmp_path, scenario)


def test_all_that_a_stopped_job_has_started_ends_with_it(tmp_path: Path, jobs: Any) -> None:
    async def scenario(spare: Spare) -> None:
        stubborn = jobs.Stubborn()
        running = await spare.start(stubborn)
        await spare.ready(stubborn)
        await until(lambda: spare.lines(stubborn))
        child, apart = map(int, spare.lines(stubborn)[0].split()[1:])
        await running.stop(0.0)
        assert spare.seen[stubborn.id][-1] == Exited(-signal.SIGKILL)
        await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")
        os.kill(apart, signal.SIGKILL)  # it has left the group: left to the reaper

    play(tmp_path, scenario)


def test_jobs_outlive_their_server(tmp_path: Path, jobs: Any) -> None:
    async def scenario(spare: Spare) -> None:
        first, second = jobs.Talker(), jobs.Talker()
        running = await spare.start(first)
        await spare.ready(first)
        server().kill()
        again = await spare.start(second)
        await spare.ready(second)
        os.kill(running.pid or 0, 0)
        for one in (running, again):
            await one.stop()
        assert spare.seen[first.id][-1] == Exited(UNKNOWN)
        assert spare.seen[second.id][-1] == Exited(0)

    play(tmp_path, scenario)


def test_a_server_that_cannot_be_is_done_without(
    tmp_path: Path, jobs: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prefork, "SERVER", "fission.no_such_module")

    async def scenario(spare: Spare) -> None:
        for _ in range(prefork.MOST_FAILURES + 1):
            ender = jobs.Ender()
            await (await spare.start(ender)).ended.wait()
            assert spare.seen[ender.id][-1] == Exited(0)

    play(tmp_path, scenario)
    assert len(caplog.records) == prefork.MOST_FAILURES
    assert "without the fork server" in caplog.text


def test_a_server_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(spare: Spare) -> None:
        first, second = jobs.Ender(), jobs.Ender()
        await (await spare.start(first)).ended.wait()
        server().suspend()
        monkeypatch.setattr(prefork, "READY_SECONDS", 0.2)
        await (await spare.start(second)).ended.wait()
        assert spare.seen[second.id][-1] == Exited(0)

    play(tmp_path, scenario)


def test_a_fork_whose_descriptor_does_not_arrive_is_ended(
    tmp_path: Path, jobs: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receive = socket.recv_fds

    def without(sock: socket.socket, size: int, most: int) -> Any:
        message, fds, flags, address = receive(sock, size, most)
        for fd in fds:
            os.close(fd)
        return message, [], flags, address

    async def scenario(spare: Spare) -> None:
        ender = jobs.Ender()
        await (await spare.start(ender)).ended.wait()
        assert spare.seen[ender.id][-1] == Exited(0)

    monkeypatch.setattr(prefork.socket, "recv_fds", without)
    play(tmp_path, scenario)
    assert "without the fork server: [Errno 24]" in caplog.text


def test_a_fork_that_cannot_be_handed_over_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_pid: int) -> int:
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(fork_server.os, "pidfd_open", none_left)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setattr(fork_server.os, "fork", lambda: child.pid)
    with ours, theirs, child:
        server = fork_server._Server(theirs)
        for fds in ([os.dup(0) for _ in range(3)], [os.dup(0)]):
            assert not server._fork(fds)
            told = fork_server.MESSAGE.unpack(ours.recv(fork_server.MESSAGE.size))
            assert told == (fork_server.FAILED, 0, errno.EMFILE)
        assert child.wait(20) == -signal.SIGKILL
        server._woken.close()
        server._wake.close()
