"""`shell`: commands from a pipe and from a terminal, with embedded nodes and with a node service of its own."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fission.project.scaffold import start_project
from fission.security.ephemeral import ephemeral_authority
from kits.disks import fill, small_disk
from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Count(PythonJob):
    def run(self):
        number = 0
        while True:
            time.sleep(0.02)
            number += 1
            yield number

class Say(PythonJob):
    DEPENDENCIES = "net/source/tools"
    def run(self, value):
        print("number", value, os.path.exists("program"), flush=True)
"""
CONFIG = "JOBS = [Count(outputs=[PicklePipe(1)]), Say([PicklePipe(1)])]\n"


def shell(project: Project, *lines: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        project.command("shell"),
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def net(project: Project) -> Project:
    project.write(JOBS, CONFIG)
    tools = project.root / "net/source/tools"
    tools.mkdir(parents=True)
    (tools / "program").write_text("x")
    return project


def test_a_session(net: Project) -> None:
    done = shell(
        net,
        "startcluster --embedded 2",
        "allocate",
        "senddata",
        "start",
        "allocate",
        "senddata",
        "closecluster",
        "stop",
        "removedata",
        "closecluster",
        "exit",
        "clear",
    )
    assert done.returncode == 0, done.stderr
    places = (
        "best score",
        "127.0.0.2: all files are present",
        "127.0.0.3: all files are present",
        "net is running",
        "net: running",
    )
    places += ("net has ended", "127.0.0.2: removed")
    where = [done.stdout.index(text) for text in places]
    assert where == sorted(where)
    assert "\033" not in done.stdout, "nothing is done after exit"
    errors = done.stderr.splitlines()
    assert errors[0].startswith(
        "warning: 127.0.0.2: refused: network net is in use by client at 127.0.0.1, since "
    )
    assert errors[1].startswith("warning: 127.0.0.3: refused: ")
    assert errors[2:] == [
        "error: closecluster: not possible while the network is running. Stop it first: stop"
    ]
    logs = subprocess.run(net.command("logs"), capture_output=True, text=True, timeout=60, check=True).stdout
    assert "number 1 True" in logs


def test_mistakes_do_not_end_it(net: Project) -> None:
    lines = [
        "statu",
        "status now",
        'start "',
        "status",
        "start --slow",
        "startcluster 3",
        "closecluster",
        "senddata",
    ]
    done = shell(net, *lines, "", "help status")
    assert done.returncode == 0
    errors = done.stderr.splitlines()
    assert len(errors) == len(lines), done.stderr
    assert all(line.startswith("error: ") for line in errors)
    assert "unknown command 'statu'. Did you mean 'status'?" in errors[0]
    assert "status: unknown argument 'now'" in errors[1]
    assert "it does not run" in errors[3]
    assert "expected --fresh or --keep-files" in errors[4]
    assert "the network has no nodes" in errors[7]
    assert "Show nodes, jobs and pipes" in done.stdout


def test_what_cannot_start_is_told(net: Project) -> None:
    net.write(JOBS, CONFIG + "NODES = [BaseNode('127.0.0.9')]\n")
    done = shell(net, "start", "status")
    assert "the network did not start; found" in done.stderr
    assert "there are no certificates" in done.stderr


@dataclass
class Device:
    """A node service for the project."""

    root: Path
    rebooted: Path


@pytest.fixture
def device(net: Project, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Device]:
    address, root, rebooted = "127.0.0.31", tmp_path / "node", tmp_path / "rebooted"
    authority = ephemeral_authority(net.root / "certs", [address])
    with socket.create_server((address, 0)) as sock:
        port = sock.getsockname()[1]
    net.write(JOBS, CONFIG + f"NODES = [BaseNode('{address}')]\nNODE_PORT = {port}\n")
    command = [sys.executable, "-m", "fission.node", "--address", address, "--port", str(port)]
    command += ["--root", str(root), "--certs", str(authority.node(address))]
    command += ["--reboot-command", f"touch {rebooted}", *getattr(request, "param", [])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if "listens" in line:
                break
        yield Device(root, rebooted)
        process.terminate()
        process.communicate(timeout=30)


def test_data_is_brought_and_removed(net: Project, device: Device) -> None:
    kept = device.root / ".store" / "whole"
    assert shell(net, "senddata").stdout.startswith("127.0.0.31: all files are present")
    assert any(path.is_file() for path in kept.rglob("*"))
    done = shell(net, "start", "stop", "removedata", "removedata")
    assert "127.0.0.31: removed\n127.0.0.31: had no files of the network\n" in done.stdout, done.stderr
    assert not (device.root / "net").exists()
    assert not any(path.is_file() for path in kept.rglob("*"))
    again = shell(net, "startcluster", "start").stdout.splitlines()
    assert any(line.startswith("127.0.0.31 ") for line in again)
    assert again[-2:] == ["net is running", "stopping net"]


@pytest.mark.parametrize("device", [["--allow-reboot"]], indirect=True)
def test_a_reboot(net: Project, device: Device) -> None:
    done = shell(net, "reboot 127.0.0.32", "reboot 127.0.0.31")
    assert "unknown node" in done.stderr
    assert done.stdout == "127.0.0.31: rebooting\n"
    wait_for(device.rebooted.exists, "the command of the device")


def test_a_reboot_that_is_not_allowed(net: Project, device: Device) -> None:
    done = shell(net, "reboot")
    assert "this node may not be rebooted from here" in done.stderr
    assert "--allow-reboot" in done.stderr
    assert not device.rebooted.exists()


def test_a_terminal(net: Project) -> None:
    """Completion, Ctrl+C at the prompt and in a command, and nothing is left when the shell is killed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        net.command("shell"), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        seen = b""

        def until(text: bytes, again: Callable[[], None] = lambda: None) -> None:
            """Wait until this is shown; while nothing is, do something again now and then."""
            nonlocal seen
            end = time.monotonic() + 60
            while text not in seen:
                assert time.monotonic() < end, seen
                if select.select([ours], [], [], 0.2)[0]:
                    seen += os.read(ours, 1000)
                else:
                    again()
            seen = seen.partition(text)[2]

        def interrupt() -> None:
            process.send_signal(signal.SIGINT)

        try:
            until(b"net> ")
            os.write(ours, b"startcl\t --embedded 1\n")
            until(b"127.0.0.2")
            until(b"net> ")
            os.write(ours, b"start\n")
            until(b"net is running")
            until(b"net> ")
            interrupt()
            # readline overlooks a signal that comes just before it begins to wait
            until(b"net> ", interrupt)
            os.write(ours, b"status\n")
            until(b"127.0.0.2")
            until(b"net> ")
            children = psutil.Process(process.pid).children(recursive=True)
            assert children
            os.write(ours, b"\x04")
            until(b"stopping net")
            assert process.wait(30) == 0
            _, left = psutil.wait_procs(children, timeout=10)
            assert not left
        finally:
            process.kill()
            os.close(ours)
    assert "startcluster --embedded 1" in (net.root / "net/.fission/history").read_text()


def test_a_start_on_a_full_disk_says_where_the_reason_is_shown(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        small = Project(start_project(disk, "project"))
        small.write(JOBS, CONFIG)
        (small.root / "net/source/tools").mkdir()
        fill(disk)
        done = shell(small, "startcluster --embedded 1", "start", "exit")
    assert (
        "network net: the network did not start; found exit code 1. `fission run net` shows why"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
