"""A script runs a network on a `LocalCluster`: exact over dead services and workers, and nothing is left afterwards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.waiting import DEADLINE, wait_for

# a process of its own: pytest makes errors of the warnings that distributed emits
SCRIPT = """
import os, signal, sys, time
from distributed import Client, LocalCluster
from fission import Network, PicklePipe, PythonJob, Settings, run
from fission.errors import FissionError

LAST = 20_000

class Count(PythonJob):
    number = 0
    def run(self):
        if self.number >= LAST:
            return None
        self.pace(hz=4000)
        self.number += 1
        return self.number
    def snapshot(self):
        return self.number
    def restore(self, number):
        self.number = number

class Sum(PythonJob):
    total = 0
    def run(self, number):
        self.total += number
        return self.total

def network(**settings):
    jobs = [Count(outputs=[PicklePipe(1)]), Sum(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])]
    return Network("sums", jobs, settings=Settings(**settings))

EXPECTED = [n * (n + 1) // 2 for n in range(1, LAST + 1)]

def node_of(handle, name):
    return next(job.node for job in handle.status().jobs if job.name == name)

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.05)

if __name__ == "__main__":
    secure = True if sys.argv[1] != "open" else None
    with LocalCluster(n_workers=2, threads_per_worker=3, security=secure, dashboard_address=None) as cluster:
        BODY
"""

FAULTS = """
        with run(network(), dask=cluster, quiet=True) as handle:
            assert {node.slots for node in handle.status().nodes} == {3}
            blocks = handle.pipe(2)
            first = blocks.take(2000)
            before = {node.address for node in handle.status().nodes}
            cluster.scale(3)
            until(lambda: len(handle.status().nodes) == 3)                       # a worker has come
            os.kill(handle.processes()[node_of(handle, "Sum 2")]["pid"], signal.SIGKILL)   # a service dies, its worker lives
            first += blocks.take(2000)
            until(lambda: sum(node.state == "up" for node in handle.status().nodes) == 3)   # it was started anew
            with Client(cluster) as client:
                place = node_of(handle, "Sum 2")
                pids = client.run(os.getpid)
                victim = next(
                    address for address in pids if owns(pids[address], handle.processes()[place]["pid"])
                )
                os.kill(pids[victim], signal.SIGKILL)                            # a worker dies; its nanny starts another
            until(lambda: place not in {node.address for node in handle.status().nodes})
            assert [*first, *blocks] == EXPECTED
            assert handle.wait().finished
        print("exact")
"""

OWNS = """
def owns(worker, service):
    import psutil
    return psutil.Process(service).ppid() == worker
"""

REFUSED = """
        try:
            run(network(), dask=cluster, quiet=True).start()
        except FissionError as error:
            print("refused:", error)
        with run(network(security="off"), dask=cluster.scheduler_address, quiet=True) as handle:
            print(handle.pipe(2).take(3))
        with Client(cluster) as client, run(network(security="off"), dask=client, quiet=True) as handle:
            print(handle.pipe(2).take(3))
            assert client.submit(sum, [1, 2]).result() == 3  # tasks go on beside it
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A temporary folder with a short name."""
    with tempfile.TemporaryDirectory(
        prefix="fission-test-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        monkeypatch.setenv("SHORT", folder)
        yield


def start(folder: Path, body: str, *words: str) -> "subprocess.Popen[str]":
    script = folder / "program.py"
    script.write_text(SCRIPT.replace("def node_of", OWNS + "\ndef node_of").replace("        BODY\n", body))
    environment = {**os.environ, "TMPDIR": os.environ["SHORT"]}  # the titles of processes end with it
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def services() -> list[str]:
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if "fission-dask-" in line]


@pytest.mark.long
def test_services_and_workers_die_and_come(tmp_path: Path) -> None:
    program = start(tmp_path, FAULTS, "secure")
    out, err = program.communicate(timeout=3 * DEADLINE)
    assert (program.returncode, out) == (0, "exact\n"), err
    wait_for(lambda: not services(), "no service is left")


def test_a_cluster_without_tls(tmp_path: Path) -> None:
    program = start(tmp_path, REFUSED, "open")
    out, err = program.communicate(timeout=2 * DEADLINE)
    refused, *rest = out.splitlines()
    assert refused.startswith("refused: dask: the Dask cluster has no TLS"), err
    assert "expected an address that begins with tls://, found tcp://" in refused
    assert rest == ["[1, 3, 6]", "[1, 3, 6]"], err
    assert program.returncode == 0
    wait_for(lambda: not services(), "no service is left")


def test_the_program_is_killed(tmp_path: Path) -> None:
    """The workers die with it here, and the services with the workers."""
    body = """
        handle = run(network(), dask=cluster, quiet=True).start()
        print("started", flush=True)
        time.sleep(1000)
"""
    program = start(tmp_path, body, "secure")
    assert program.stdout is not None
    assert program.stdout.readline() == "started\n"
    assert services()
    program.kill()
    program.communicate(timeout=DEADLINE)
    wait_for(lambda: not services(), "no service is left")
