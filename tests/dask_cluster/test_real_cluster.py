"""A `dask scheduler` and three `dask worker`s on hosts of their own, over TLS: workers die, come and are taken away."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Host, Lab, Stream, job_processes, unavailable, wait_for
from lab.host import Running
from lab.stream import WORK

pytestmark = pytest.mark.long

PORT = 8786
RATE = 200


class DaskCluster:
    """The scheduler on the client's host; a worker on each node that is started."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.address = f"tls://{lab.client.address}:{PORT}"
        self.workers: dict[str, Running] = {}
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> Running:
        """Start the scheduler, and wait until it listens; the answer is also `self.scheduler`."""
        client = self.lab.client
        self.scheduler = client.popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_scheduler", "--protocol", "tls"),
                *("--host", client.address, "--port", str(PORT), "--no-dashboard", *self._files(client)),
            ]
        )
        wait_for(lambda: client.listens_at(PORT), "the scheduler listens")
        return self.scheduler

    def start(self, host: Host, *groups: str) -> None:
        resources = " ".join(f"{group}=1" for group in groups)
        self.workers[host.name] = host.popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--host", host.address),
                *("--name", host.name, "--nthreads", "2", "--no-nanny", "--no-dashboard"),
                *("--resources", resources, *self._files(host)),
            ],
            env={"TMPDIR": str(host.folder)},
        )
        self.workers[host.name].says("Registered to")

    def environment(self) -> dict[str, str]:
        """The certificate of a client, where Dask reads it."""
        certs = self.lab.client.certs
        names = {"CA_FILE": "ca.pem", "CLIENT__CERT": "cert.pem", "CLIENT__KEY": "key.pem"}
        return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(certs / file) for name, file in names.items()}

    @staticmethod
    def _files(host: Host) -> list[str]:
        certs = host.certs
        return [
            *("--tls-ca-file", str(certs / "ca.pem"), "--tls-cert", str(certs / "cert.pem")),
            *("--tls-key", str(certs / "key.pem")),
        ]


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskCluster]:
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path / "lab") as lab:
        yield DaskCluster(lab)


def services(host: Host) -> list[int]:
    """The node services beside the workers of a host."""
    return [pid for pid in host.pids() if "fission-dask-" in _title(pid)]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def test_workers_are_killed_added_and_taken_away(dask: DaskCluster) -> None:
    lab = dask.lab
    head, first, second, late = lab.nodes
    dask.start(head, "head")
    dask.start(first, "work")
    dask.start(second, "work")
    stream = Stream.in_lab(lab, blocks=8 * RATE, rate=RATE, settings=f"DASK = {dask.address!r}\nNODES = []")
    client = lab.client.popen(stream.command("run"), cwd=stream.root, env=dask.environment())
    stream.await_rows(50, client)

    place = next(host for host in (first, second) if WORK in job_processes(host))
    place.kill()  # the host loses its power
    stream.await_more(client)
    rest = first if place is second else second
    wait_for(lambda: WORK in job_processes(rest), "the job runs on the other worker")

    dask.start(late, "work", "head")  # the cluster grows
    wait_for(lambda: services(late), "a node service beside the new worker")
    log = stream.root / "FISSION.log"
    wait_for(lambda: f"node {late.address}:" in log.read_text(), "it has joined")

    dask.workers[rest.name].send(signal.SIGTERM)  # and shrinks
    wait_for(lambda: WORK in job_processes(late), "the job has moved to the new worker")
    assert dask.workers[rest.name].wait(30) in (0, -signal.SIGTERM)
    wait_for(lambda: not services(rest), "nothing is left beside the worker that has gone")
    stream.await_more(client)

    assert client.wait(60) == 0, client.tail()
    assert stream.mistakes() == ""
    assert len(stream.rows()) == stream.blocks
    wait_for(lambda: not services(head) + services(late), "no service is left")
    for host in (head, late, rest):
        left = [path.name for path in host.folder.iterdir() if path.name.startswith("fission-")]
        assert not [name for name in left if name.startswith("fission-dask-")], left


def test_the_client_is_killed(dask: DaskCluster) -> None:
    lab = dask.lab
    head, first = lab.nodes[:2]
    dask.start(head, "head")
    dask.start(first, "work")
    stream = Stream.in_lab(lab, blocks=100 * RATE, rate=RATE)
    client = lab.client.popen(
        stream.command("run", "--dask", dask.address), cwd=stream.root, env=dask.environment()
    )
    stream.await_rows(50, client)
    os.kill(client.pid, signal.SIGKILL)
    client.process.wait()
    wait_for(lambda: not services(head) + services(first), "the services end without a client", 90)
    assert all(dask.workers[host.name].running for host in (head, first))


def test_mistakes_are_explained(dask: DaskCluster) -> None:
    lab = dask.lab
    stream = Stream.in_lab(lab, blocks=RATE, rate=RATE)

    def fails(*options: str) -> str:
        done = lab.client.run(stream.command("run", *options), cwd=stream.root, env=dask.environment())
        assert done.code in (1, 2), done.text()
        return f"{done.code} {done.tail(1)}"

    clear = fails("--dask", f"tcp://{lab.client.address}:{PORT}")
    assert clear.startswith("2 error: network stream: the Dask cluster has no TLS"), clear
    nobody = fails("--dask", f"tls://{lab.client.address}:1")
    assert nobody.startswith("1 error: "), nobody
    assert "the Dask scheduler cannot be reached" in nobody
    both = fails("--dask", dask.address, "--embedded", "2")
    assert both == "2 error: network stream: --embedded and --dask exclude each other"


def test_the_scheduler_is_started_again(dask: DaskCluster) -> None:
    lab = dask.lab
    head, first = lab.nodes[:2]
    dask.start(head, "head")
    dask.start(first, "work")
    stream = Stream.in_lab(lab, blocks=6 * RATE, rate=RATE)
    client = lab.client.popen(
        stream.command("run", "--dask", dask.address), cwd=stream.root, env=dask.environment()
    )
    stream.await_rows(50, client)
    dask.scheduler.kill()
    for host in (head, first):
        dask.workers[host.name].wait(60)  # workers end with their scheduler
    wait_for(lambda: "workers end with it" in (stream.root / "FISSION.log").read_text(), "it is told")
    dask.start_scheduler()
    for host, group in ((head, "head"), (first, "work")):
        dask.start(host, group)
    assert client.wait(120) == 0, client.tail()
    assert stream.mistakes() == ""
    assert len(stream.rows()) == stream.blocks
