"""Lines that are typed on another machine: through TLS, by who has a certificate of a client, and by nobody else."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Numbers(InteractiveJob):
    def convert(self, line):
        return int(line)
"""
CONFIG = """
JOBS = [Numbers(outputs=[PicklePipe(1)]), CSVSinkJob("out.csv", inputs=[PicklePipe(1)])]
NODES = [BaseNode("127.0.0.2")]
"""
"""Both jobs are local; the node, which never answers, is why there are certificates."""


def certificates(project: Project) -> Path:
    command = project.command("certs")[:2]
    subprocess.run(
        [*command, "--node", "127.0.0.2"], cwd=project.root, check=True, timeout=60, capture_output=True
    )
    return project.root / "certs"


@pytest.fixture
def address(project: Project) -> Iterator[str]:
    """Where the job lets people type, while the network runs."""
    project.write(JOBS, CONFIG)
    certificates(project)
    run = subprocess.Popen(
        project.command("run"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    project.running.append(run)
    log = project.root / "FISSION.log"
    found: list[str] = []

    def told() -> bool:
        text = log.read_text() if log.exists() else ""
        found[:] = re.findall(r"from other machines: fission interact net 1 --at (\S+)", text)
        return bool(found)

    wait_for(told, "the job says where it can be reached")
    yield found[0]
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 0


def interact(project: Project, address: str, typed: str) -> "subprocess.CompletedProcess[str]":
    command = project.command("interact", "--at", address)
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)


def rows(project: Project) -> list[str]:
    file = project.root / "net" / "local" / "2" / "out.csv"
    return file.read_text().split()[1:] if file.exists() else []


def test_lines_from_another_machine(project: Project, address: str) -> None:
    done = interact(project, address, "5\nfive\n7\n")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("Numbers 1: each line that you type becomes a block.")
    assert "not sent: ValueError" in done.stdout
    wait_for(lambda: rows(project) == ["5", "7"], "two rows")


def test_strangers_may_not_type(project: Project, address: str) -> None:
    host, _, port = address.rpartition(":")
    for words in (b"5\n6\n", bytes(100), b""):
        with socket.create_connection((host, int(port)), timeout=10) as stranger:
            stranger.sendall(words)
    certs = project.root / "certs"
    (certs / "client").rename(certs / "kept")
    shutil.copytree(certs / "nodes" / "127.0.0.2", certs / "client")
    node = interact(project, address, "6\n")
    assert node.returncode == 1
    assert "cannot connect to the job; found the job closed the connection" in node.stderr
    certs.rename(project.root / "ours")
    certificates(project)
    foreign = interact(project, address, "7\n")
    assert foreign.returncode == 1
    assert "certificate verify failed" in foreign.stderr
    shutil.rmtree(project.root / "certs")
    (project.root / "ours").rename(certs)
    shutil.rmtree(certs / "client")
    (certs / "kept").rename(certs / "client")
    assert interact(project, address, "8\n").returncode == 0
    wait_for(lambda: rows(project) == ["8"], "only what the client has typed")
    log = (project.root / "FISSION.log").read_text()
    assert "(127.0.0.2): the certificate is for another role" in log


@pytest.mark.parametrize(
    ("address", "message"), [("nowhere", "expected HOST:PORT"), ("127.0.0.1:1", "cannot connect to the job")]
)
def test_a_wrong_address_is_told(project: Project, address: str, message: str) -> None:
    project.write(JOBS, CONFIG)
    certificates(project)
    done = interact(project, address, "")
    assert done.returncode in (1, 2)
    assert message in done.stderr
