"""Jobs on one machine: started in their folders, stopped, superseded, counted, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from fission.cluster import (
    IncarnationStatus,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
)
from fission.core import base
from fission.engine.host.job_host import JobHost
from fission.engine.protocol.interfaces import CheckpointWriter, JobOrder, JobSaid
from fission.errors import RunError
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Checkpoint, Log
from kits.hosts import Events, Store, make_host, make_jobs, order
from kits.waiting import until


@pytest.fixture
def jobs(tmp_path: Path) -> Any:
    base.reset()
    yield make_jobs(tmp_path / "code")
    base.reset()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "code")


Scenario = Callable[[JobHost, Events], Awaitable[None]]


def play(root: Path, store: Store, scenario: Scenario, **more: Any) -> Events:
    """Run a scenario with a host, and see to it that nothing is left."""
    events = Events()

    async def run() -> None:
        host = make_host(root, store, events, **more)
        try:
            async with asyncio.timeout(60):
                await scenario(host, events)
        finally:
            await host.close()

    asyncio.run(run())
    assert not [one for one in psutil.Process().children(recursive=True) if one.status() != "zombie"]
    return events


def lines(events: Events) -> list[str]:
    return [said.what.text for said in events.of(JobSaid) if isinstance(said.what, OutputLine)]


def test_a_job_works_in_its_folder_and_says_how_it_does(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker()))
        (line,) = host.inventory("net")
        assert (line.alive, line.status) == (True, IncarnationStatus.STARTING)
        await events.wait(JobReady)
        await until(lambda: events.of(JobProgress) and events.of(JobProgress)[-1].round > 1)
        (line,) = host.inventory("net")
        assert (line.job, line.incarnation, line.run) == (1, 1, "run1")
        assert (line.status, line.alive, line.round > 1) == (IncarnationStatus.RUNNING, True, True)
        assert line.address == events.of(JobListening)[0].address != ""
        await host.stop("run1", 1, 1)
        await events.wait(JobExited)

    events = play(tmp_path / "root", store, scenario)
    assert lines(events) == [f"hello from {tmp_path}/root/net/1"]
    assert events.of(JobExited)[0] == events.seen[-1] == JobExited("127.0.0.1", 1, 1, 0, "run1")


def test_a_job_that_finishes_is_remembered(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Ender()))
        await events.wait(JobExited)
        assert events.of(JobFinished)
        (line,) = host.inventory("net")
        assert (line.status, line.alive) == (IncarnationStatus.FINISHED, False)
        assert host.inventory("other") == ()
        await host.start(order(jobs.Talker(), run="run2"))
        await events.wait(JobReady)
        assert [line.run for line in host.inventory("net")] == ["run2"]

    play(tmp_path / "root", store, scenario)


def test_what_the_users_code_raises_is_told(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Raiser()))
        await events.wait(JobExited)
        assert [line.status for line in host.inventory("net")] == [IncarnationStatus.FAILED]

    (failed,) = play(tmp_path / "root", store, scenario).of(JobFailed)
    assert (failed.round, failed.where, failed.message) == (1, "run", "ValueError: no good")
    assert (
        'File "jobs_of_host_tests.py", line ' in failed.traceback
    )  # as in the project, not where its copy lies
    assert "in run" in failed.traceback


def test_a_start_is_carried_out_once(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        one = order(jobs.Talker())
        await host.start(one)
        await events.wait(JobReady)
        await host.start(one)
        assert len(host.inventory("net")) == 1

    assert len(play(tmp_path / "root", store, scenario).of(JobReady)) == 1


def test_two_incarnations_never_share_their_folder(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        stubborn = jobs.Stubborn()
        await host.start(order(stubborn))
        await events.wait(JobReady)
        await host.start(order(stubborn, incarnation=2))
        await events.wait(JobReady, incarnation=2)

    events = play(tmp_path / "root", store, scenario)
    kinds = [(type(event), event.incarnation) for event in events.of(JobExited, JobListening)]
    assert kinds.index((JobExited, 1)) < kinds.index((JobListening, 2))
    assert events.of(JobExited)[0].code == -signal.SIGKILL


def test_an_order_that_was_overtaken_is_refused(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        job = jobs.Talker()
        await host.start(order(job, incarnation=5))
        await host.start(order(job, incarnation=4))
        assert "started again since" in (await events.wait(JobNotStarted)).message

    play(tmp_path / "root", store, scenario)


def test_a_stop_is_always_answered(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.stop("nobody", 7, 3)
        assert events.seen == [JobExited("127.0.0.1", 7, 3, 0, "nobody")]
        await host.start(order(jobs.Ender()))
        await events.wait(JobExited, incarnation=1)
        await host.stop("run1", 1, 1, force=True)
        assert len(events.of(JobExited, incarnation=1)) == 2

    play(tmp_path / "root", store, scenario)


def test_a_stop_in_the_middle_of_a_start_is_answered_once(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        store.gate = asyncio.Event()
        (tmp_path / "bundle").mkdir()
        store.bundles["files"] = tmp_path / "bundle"
        await host.start(order(jobs.Talker(), files="files"))
        await host.stop("run1", 1, 1)
        store.gate.set()
        await events.wait(JobExited)
        assert not [line for line in host.inventory("net") if line.alive]

    events = play(tmp_path / "root", store, scenario)
    assert [type(event) for event in events.seen] == [JobExited]


class Frozen:
    """No replica answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def store(self, writer: CheckpointWriter, checkpoint: Checkpoint) -> bool:
        return False

    async def fetch(self, order: JobOrder, folder: Path) -> tuple[Checkpoint, ...]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


def test_a_stop_does_not_wait_for_replicas(tmp_path: Path, jobs: Any, store: Store) -> None:
    replicator = Frozen()

    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker(), incarnation=2))
        await replicator.asked.wait()
        await host.stop("run1", 1, 2)
        await events.wait(JobExited)

    events = play(tmp_path / "root", store, scenario, replicator=replicator)
    assert [type(event) for event in events.seen] == [JobExited]


def test_force_does_not_wait(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Stubborn()))
        await events.wait(JobReady)
        await host.stop("run1", 1, 1, force=True)
        assert (await events.wait(JobExited)).code == -signal.SIGKILL

    play(tmp_path / "root", store, scenario)


# -- folders -------------------------------------------------------------------------------------------------


def test_files_are_installed_and_those_of_the_last_run_are_gone(
    tmp_path: Path, jobs: Any, store: Store
) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "data.txt").write_text("data")
    store.bundles["files"] = bundle
    folder = tmp_path / "root" / "net" / "1"

    async def scenario(host: JobHost, events: Events) -> None:
        job = jobs.Talker()
        await host.start(order(job, files="files"))
        await events.wait(JobReady)
        assert (folder / "data.txt").read_text() == "data"
        await host.start(order(job, incarnation=2, files="files"))
        await events.wait(JobReady, incarnation=2)
        assert (folder / "mine.txt").read_text() == "xx"  # a successor finds what its predecessor wrote
        await host.start(order(job, run="run2", incarnation=3))
        await events.wait(JobReady, incarnation=3)
        assert (folder / "mine.txt").read_text() == "x"
        assert not (folder / "data.txt").exists()
        await host.start(order(job, run="run3", incarnation=4, keep=True))
        await events.wait(JobReady, incarnation=4)
        assert (folder / "mine.txt").read_text() == "xx"

    play(tmp_path / "root", store, scenario)


def test_a_folder_of_another_service_is_refused(tmp_path: Path, jobs: Any, store: Store) -> None:
    others = Events()

    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker()))
        await events.wait(JobReady)
        other = make_host(tmp_path / "elsewhere", store, others, homes=lambda one: tmp_path / "root" / "net")
        await other.start(order(jobs.Talker()))
        assert "another node service" in (await others.wait(JobNotStarted)).message
        await other.close()

    play(tmp_path / "root", store, scenario)


def test_what_cannot_be_prepared_is_told_in_a_line(tmp_path: Path, jobs: Any, store: Store) -> None:
    (tmp_path / "root").write_text("a file")

    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker()))
        message = (await events.wait(JobNotStarted)).message
        assert "Not a directory" in message
        assert "REMOTE_ROOT" in message
        await host.start(order(jobs.Talker(), network="../up"))
        await until(lambda: len(events.of(JobNotStarted)) == 2)
        assert "no such job" in events.of(JobNotStarted)[1].message

    play(tmp_path / "root", store, scenario)


class Refusing(Store):
    async def install(self, digest: str, folder: Path) -> None:
        raise RunError("the disk is full", where=str(folder))


def test_a_store_that_refuses_is_quoted(tmp_path: Path, jobs: Any) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker(), files="files"))
        assert "the disk is full" in (await events.wait(JobNotStarted)).message

    play(tmp_path / "root", Refusing(tmp_path / "code"), scenario)


# -- nothing is left -----------------------------------------------------------------------------------------


HOST = """
import asyncio, sys
from pathlib import Path
from fission.core import base
sys.path.insert(0, sys.argv[1])
from kits.hosts import *

async def main():
    root = Path(sys.argv[2])
    jobs = make_jobs(root / "code")
    events = Events()
    host = make_host(root, Store(root / "code"), events)
    await host.start(order(jobs.Stubborn()))
    said = await events.wait(JobSaid)
    print(*said.what.text.split()[1:], host.incarnations()[0].pid, flush=True)
    await asyncio.sleep(600)

from fission.engine.protocol.interfaces import JobOrder, JobSaid
asyncio.run(main())
"""


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


@pytest.fixture
def killed_host(tmp_path: Path) -> Any:
    """Start a host in a process of its own with a stubborn job; return its process and what must end with it."""
    script = tmp_path / "host.py"
    script.write_text(textwrap.dedent(HOST))
    process = subprocess.Popen(
        [sys.executable, script, Path(__file__).parents[3] / "tests", tmp_path / "root"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    (tmp_path / "root").mkdir()
    with process:
        line = process.stdout.readline() if process.stdout else ""
        yield process, [int(word) for word in line.split()]
        process.kill()


def test_a_killed_host_leaves_no_process(killed_host: Any) -> None:
    process, pids = killed_host
    assert len(pids) == 3
    assert alive(pids) == pids
    os.kill(pids[-1], signal.SIGSTOP)  # cannot notice anything
    process.kill()
    process.wait()
    asyncio.run(until(lambda: not alive(pids), "the end of all processes", 10))


def test_a_host_ends_what_its_killed_predecessor_has_left(
    tmp_path: Path, killed_host: Any, store: Store
) -> None:
    process, pids = killed_host
    os.kill(pids[-1], signal.SIGSTOP)
    for child in psutil.Process(process.pid).children():
        if "reaper" in " ".join(child.cmdline()):
            child.kill()
    process.kill()
    process.wait()
    assert alive(pids) == pids

    async def scenario(host: JobHost, _events: Events) -> None:
        assert await host.clear() >= 3

    play(tmp_path / "root", store, scenario)
    assert not alive(pids)


def test_the_sockets_of_ended_jobs_are_removed(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        job = jobs.Talker()
        paths = []
        for incarnation in (1, 2):
            await host.start(order(job, incarnation=incarnation))
            address = (await events.wait(JobListening, incarnation=incarnation)).address
            paths.append(Path(address.rpartition("unix:")[2]))
        await events.wait(JobExited, incarnation=1)
        assert [path.exists() for path in paths] == [False, True]

    play(tmp_path / "root", store, scenario)


# -- state ---------------------------------------------------------------------------------------------------


def test_interrupted_processes_are_told(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker()))
        await events.wait(JobReady)
        await until(lambda: events.of(JobProgress))
        os.kill(host.incarnations("net")[0].pid or 0, signal.SIGINT)
        assert (await events.wait(JobExited)).code == 130

    events = play(tmp_path / "root", store, scenario)
    logs = [said.what.text for said in events.of(JobSaid) if isinstance(said.what, Log)]
    assert logs == ["its process was interrupted (SIGINT)"]


def test_a_network_that_is_given_up_is_forgotten(tmp_path: Path, jobs: Any, store: Store) -> None:
    async def scenario(host: JobHost, events: Events) -> None:
        await host.start(order(jobs.Talker()))
        await host.start(order(jobs.Talker(), network="other"))
        await until(lambda: len(events.of(JobReady)) == 2)
        await host.abandon("net")
        assert host.inventory("net") == ()
        assert [line.alive for line in host.inventory("other")] == [True]

    play(tmp_path / "root", store, scenario)
