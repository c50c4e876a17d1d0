"""`fission-node --pair` and `fission pair` as processes: a code is typed, and a network runs on the new node."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fission.management.cli.fission import main as _main
from kits.command_line import CONFIG, JOBS
from kits.waiting import DEADLINE, wait_for

NODE = "127.0.0.9"
FISSION = [sys.executable, "-c", f"from {_main.__module__} import main; raise SystemExit(main())"]
CERTIFICATE = ["ca.pem", "cert.pem", "key.pem"]


class Device:
    """A running `fission-node --pair`; its output is in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir()
        command = [sys.executable, "-m", "fission.node", "--pair", "--address", NODE, "--port", "0"]
        files = ["--certs", str(folder / "etc" / "certs"), "--root", str(folder / "root")]
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, *files, *options], stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def text(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def says(self, text: str, count: int = 1) -> None:
        wait_for(lambda: self.text().count(text) >= count or self.process.poll() is not None, text)
        assert self.text().count(text) >= count, self.text()

    def code(self, number: int = 1) -> str:
        self.says("on the client: fission pair", number)
        return re.findall(r"pairing code: (\d{4} \d{4})", self.text())[-1]

    @property
    def port(self) -> str:
        (port,) = set(re.findall(r"--port (\d+)", self.text()))
        return str(port)

    def certificate(self) -> list[str]:
        """The files below the folder of the settings."""
        etc = self.folder / "etc"
        return sorted(str(path.relative_to(etc)) for path in etc.rglob("*") if path.is_file())


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    started: list[Device] = []

    def start(*options: str) -> Device:
        started.append(Device(tmp_path / f"device{len(started)}", *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
        one.process.wait(DEADLINE)


def fission(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*FISSION, *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.long
def test_a_paired_node_runs_a_network(tmp_path: Path, device: Callable[..., Device]) -> None:
    one = device("--name", "roof")
    code = one.code()
    assert fission("new", "project", "home", cwd=tmp_path).returncode == 0
    home = tmp_path / "home"
    assert fission("new", "network", "demo", cwd=home).returncode == 0
    paired = fission("pair", NODE, "--port", one.port, "--code", code, "--nodes", "nodes.csv", cwd=home)
    assert (paired.returncode, paired.stderr) == (0, "")
    assert "roof at 127.0.0.9 has its certificate" in paired.stdout
    assert "it serves as a node, and accepts this client" in paired.stdout
    assert (home / "nodes.csv").read_text() == "name,address\nroof,127.0.0.9\n"
    assert one.certificate() == [f"certs/{name}" for name in CERTIFICATE]
    assert (one.folder / "etc" / "certs" / "key.pem").stat().st_mode & 0o077 == 0
    (home / "demo" / "jobs" / "jobs.py").write_text(JOBS)
    settings = f'NODES = "{home}/nodes.csv"\nNODE_PORT = {one.port}\nREMOTE_ROOT = "{tmp_path}/files/"\n'
    (home / "demo" / "config.py").write_text(CONFIG + settings)
    ran = fission("run", "demo", "--until-finished", cwd=home)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = fission("logs", "demo", cwd=home).stdout
    assert "got 2" in said
    assert NODE in said
    again = fission("pair", NODE, "--port", one.port, "--code", code, cwd=home)
    assert again.returncode == 1
    assert "A node that serves already is not paired again" in again.stderr


def test_three_wrong_codes_install_nothing(tmp_path: Path, device: Callable[..., Device]) -> None:
    one = device()
    for number in range(1, 4):
        code = one.code(number)
        wrong = code.translate(str.maketrans("0123456789", "1234567890"))
        done = fission("pair", NODE, "--port", one.port, "--code", wrong, cwd=tmp_path)
        assert done.returncode == 1
        assert "the code is wrong" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert one.process.wait(DEADLINE) == 1
    assert "3 codes were used in vain" in one.text().splitlines()[-1]
    assert one.certificate() == []
    assert not (tmp_path / "certs" / "nodes" / NODE).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(device: Callable[..., Device], number: signal.Signals) -> None:
    one = device()
    one.code()
    one.process.send_signal(number)
    assert one.process.wait(DEADLINE) == 130
    assert one.certificate() == []
    assert "Traceback" not in one.text()


def test_a_taken_port_is_said_before_a_code_is_shown(device: Callable[..., Device]) -> None:
    first = device()
    first.code()
    second = device("--port", first.port)
    assert second.process.wait(DEADLINE) == 2
    assert "cannot listen (Address already in use)" in second.text()
    assert "pairing code" not in second.text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pair for another account")
def test_root_pairs_for_the_account_of_the_service(tmp_path: Path, device: Callable[..., Device]) -> None:
    owner = 65534
    files = tmp_path / "files"
    files.mkdir()
    os.chown(files, owner, owner)
    one = device("--root", str(files))
    code = one.code()
    done = fission("pair", NODE, "--port", one.port, "--code", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sudo systemctl restart fission" in done.stdout
    assert one.process.wait(DEADLINE) == 0
    folder = one.folder / "etc" / "certs"
    assert sorted(path.name for path in folder.iterdir()) == CERTIFICATE
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (0, 0o750)
    for path in folder.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (owner, owner)


def test_no_terminal_and_no_code(tmp_path: Path) -> None:
    done = fission("pair", NODE, cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no terminal to ask for the code. Add --code CODE" in done.stderr
    assert not (tmp_path / "certs").exists()


def test_nobody_is_there(tmp_path: Path) -> None:
    done = fission("pair", NODE, "--port", "1", "--code", "12345678", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing listens at port 1. Start it on the device: fission-node --pair" in done.stderr
