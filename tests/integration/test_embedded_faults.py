"""Faults on an embedded cluster: the sink's file is as if nothing had happened. Needs neither root nor hosts."""

import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from fission.engine.client.client_host import STATES
from fission.engine.client.private.run_folder import private_folder
from fission.engine.host.scratch import EMBEDDED, scratch
from lab import Running, Stream, jobs_among, wait_for
from lab.stream import SINK, SOURCE, WORK

RATE = 200
SECONDS = 6


class Embedded:
    """A stream on three embedded nodes."""

    def __init__(self, folder: Path, seconds: float = SECONDS, descriptors: int = 0) -> None:
        groups = (("head",), ("work", "head"), ("work",))
        nodes = [(f"10.77.0.{number}", which) for number, which in enumerate(groups, 11)]
        self.stream = Stream(folder, nodes, blocks=int(seconds * RATE), rate=RATE)
        argv = self.stream.command("run", "--embedded", "3", "--until-finished")
        if descriptors:
            argv = ["prlimit", f"--nofile={descriptors}:{descriptors}", *argv]
        out, err = folder / "out.txt", folder / "err.txt"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
        self.client = Running(argv, process, out, err)
        self.seen: set[int] = {process.pid}

    def children(self) -> list[int]:
        """All that the client has started."""
        with suppress(psutil.NoSuchProcess):
            found = [child.pid for child in psutil.Process(self.client.pid).children(recursive=True)]
            self.seen |= set(found)
            return found
        return []

    def pid_of(self, job: int) -> int:
        """The process of a job."""
        wait_for(lambda: job in jobs_among(self.children()), f"a process of job {job}")
        return jobs_among(self.children())[job]

    def service_of(self, job: int) -> int:
        """The node service that runs a job."""
        return next(
            parent.pid
            for parent in psutil.Process(self.pid_of(job)).parents()
            if parent.name() == "fission-node"
        )

    @property
    def folder(self) -> Path:
        """Where one of the nodes has its files."""
        title = " ".join(psutil.Process(self.service_of(WORK)).cmdline())
        return Path(title.partition(" in ")[2].strip())

    def go_on(self) -> None:
        """New rows arrive at the sink."""
        self.children()
        self.stream.await_more(self.client)

    def end(self) -> None:
        """The network finishes, nothing was lost or doubled, and nothing of it is left."""
        assert self.client.wait(60) == 0, self.client.tail()
        assert self.stream.mistakes() == ""
        assert len(self.stream.rows()) == self.stream.blocks
        wait_for(lambda: not alive(self.seen), "every process has ended", 5)


def alive(pids: set[int]) -> list[int]:
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


@pytest.fixture
def embedded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Embedded]:
    one = Embedded(tmp_path, getattr(request, "param", SECONDS))
    try:
        one.stream.await_rows(50, one.client)
        one.children()
        yield one
    finally:
        one.children()
        for pid in alive(one.seen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.client.process.wait(10)


@pytest.mark.parametrize("job", [SOURCE, WORK, SINK])
def test_the_process_of_a_job_is_killed(embedded: Embedded, job: int) -> None:
    for _ in range(2):
        os.kill(embedded.pid_of(job), signal.SIGKILL)
        embedded.go_on()
    embedded.end()


@pytest.mark.parametrize("job", [SOURCE, WORK])
def test_a_node_service_is_killed(embedded: Embedded, job: int) -> None:
    victim = embedded.pid_of(job)
    os.kill(embedded.service_of(job), signal.SIGKILL)
    embedded.go_on()
    assert embedded.pid_of(job) != victim
    embedded.end()


def test_all_jobs_are_killed_at_once(embedded: Embedded) -> None:
    for pid in [embedded.pid_of(job) for job in (SOURCE, WORK, SINK)]:
        os.kill(pid, signal.SIGKILL)
    embedded.go_on()
    embedded.end()


def test_a_damaged_copy_of_a_checkpoint_is_replaced(embedded: Embedded) -> None:
    """One damaged copy ended the network although a good one existed."""
    private = private_folder(embedded.stream.network)
    embedded.stream.await_rows(300, embedded.client)  # the source has forgotten the first ones by now
    os.kill(embedded.pid_of(WORK), signal.SIGSTOP)  # it stores nothing more
    states = [one for one in private.glob(f"{STATES}/*/*/{WORK}/*") if one.stat().st_size]
    assert states
    for state in states:
        data = state.read_bytes()
        state.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.kill(embedded.pid_of(WORK), signal.SIGKILL)
    embedded.go_on()
    embedded.end()


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """The TCP addresses at which processes listen."""
    return {
        (one.laddr.ip, one.laddr.port)
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.pid in pids
    }


def test_silent_connections_take_no_descriptors_from_jobs(tmp_path: Path) -> None:
    """With 256 descriptors and 400 silent connections a killed job could not start again, and the network ended."""
    one = Embedded(tmp_path, 15, descriptors=256)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        try:
            one.stream.await_rows(50, one.client)
            services = {one.client.pid, one.service_of(SOURCE), one.service_of(WORK)}
            targets = listening(services)
            assert len(targets) >= 3
            for target in targets:
                for _ in range(400):
                    stack.enter_context(socket.create_connection(target, 20))
            for _ in range(2):
                os.kill(one.pid_of(WORK), signal.SIGKILL)
                one.go_on()
            one.end()
            assert "Traceback" not in one.client.tail()
        finally:
            one.children()
            for pid in alive(one.seen):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.client.process.wait(10)


def test_a_state_that_is_lost_with_all_its_copies_ends_the_network(embedded: Embedded) -> None:
    home = embedded.folder.parent
    private = private_folder(embedded.stream.network)

    def remove() -> int:
        copies = [*home.glob(f"*/.states/*/*/{WORK}"), *private.glob(f"{STATES}/*/*/{WORK}")]
        for folder in copies:
            shutil.rmtree(folder, ignore_errors=True)
        return len(copies)

    embedded.stream.await_rows(500, embedded.client)  # the source has forgotten the first ones by now
    assert [*private.glob(f"{STATES}/*/*/{WORK}")]
    os.kill(embedded.pid_of(WORK), signal.SIGSTOP)  # it stores nothing more
    wait_for(lambda: not remove(), "no copies")
    os.kill(embedded.pid_of(WORK), signal.SIGKILL)
    assert embedded.client.wait(60) == 1
    assert "its stored state is lost" in embedded.client.tail()
    assert embedded.stream.mistakes() == ""


@pytest.mark.parametrize("embedded", [600], indirect=True)
def test_a_network_whose_private_folder_is_removed_is_not_run_twice(embedded: Embedded) -> None:
    def say(verb: str) -> tuple[int, str]:
        argv = embedded.stream.command(verb)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    client = f"process {embedded.client.pid}"
    code, said = say("run")
    assert (code, client in said) == (2, True), said
    private_folder(embedded.stream.network).rename(embedded.stream.root / "removed")
    for verb, expected in (("status", 1), ("stop", 1), ("run", 2), ("status", 1)):
        code, said = say(verb)
        assert (code, client in said) == (expected, True), said
    embedded.client.send(signal.SIGINT)
    assert embedded.client.wait(10) == 1  # it had not finished
    assert embedded.stream.mistakes() == ""
    code, said = say("status")
    assert "it does not run" in said


def test_ctrl_c_ends_everything(embedded: Embedded) -> None:
    embedded.client.send(signal.SIGINT)
    assert embedded.client.wait(10) == 1  # it had not finished
    assert embedded.stream.mistakes() == ""
    wait_for(lambda: not alive(embedded.seen), "every process has ended", 5)


def test_a_killed_client_takes_its_embedded_nodes_along(embedded: Embedded) -> None:
    folder = embedded.folder
    assert folder.parent.name.startswith(EMBEDDED)
    embedded.client.kill()
    wait_for(lambda: not alive(embedded.seen), "every process has ended", 10)
    assert embedded.stream.mistakes() == ""
    with scratch(EMBEDDED):  # whoever runs next removes what was left, we or somebody else just now
        wait_for(lambda: not folder.parent.exists(), "the folder has gone", 10)
