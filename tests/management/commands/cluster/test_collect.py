"""`fission collect` with real node services."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.project.scaffold import start_project
from fission.security.ephemeral import ephemeral_authority

NODES = ("127.0.0.21", "127.0.0.22")
DEADLINE = 60.0


def free_port() -> int:
    """A port that is free at all of the addresses just now."""
    with socket.create_server((NODES[0], 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose first node serves and whose second one does not."""
    root = start_project(tmp_path, "project")
    authority = ephemeral_authority(root / "certs", NODES)
    port = free_port()
    folder = root / "net"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "config.py").write_text(
        textwrap.dedent(f"""
            from fission.core.jobs import SourceJob, LoggingSinkJob, ForwardingJob
            from fission.core.nodes import BaseNode
            from fission.core.pipes import PicklePipe
            NODES = [BaseNode(node) for node in {NODES}]
            NODE_PORT = {port}
            JOBS = [SourceJob(outputs=[PicklePipe(1)]), ForwardingJob(inputs=[PicklePipe(1)])]
        """)
    )
    command = [sys.executable, "-m", "fission.node", "--address", NODES[0], "--port", str(port)]
    command += ["--root", str(tmp_path / "root"), "--certs", str(authority.node(NODES[0]))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if "listens" in line:
                break
        yield root
        process.terminate()
        process.communicate(timeout=DEADLINE)


def collect(root: Path) -> "subprocess.CompletedProcess[str]":
    fission = Path(sys.executable).with_name("fission")
    return subprocess.run(
        [fission, "collect", "net", "--project", root],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=root,
        env=os.environ | {"NO_COLOR": "1"},
    )


def test_logs_are_copied_and_who_is_away_is_named(project: Path) -> None:
    done = collect(project)
    assert done.returncode == 1, done.stderr
    assert f"warning: {NODES[1]}: " in done.stderr
    assert "lines in net/collection/fission-127-0-0-21.log" in done.stdout
    (file,) = (project / "net" / "collection").iterdir()
    assert "listens on 127.0.0.21" in file.read_text()


def test_without_nodes_there_is_nothing_to_collect(project: Path) -> None:
    config = project / "net" / "config.py"
    config.write_text(config.read_text() + "\nNODES = []\n")
    done = collect(project)
    assert done.returncode == 2
    assert "the network has no nodes" in done.stderr
