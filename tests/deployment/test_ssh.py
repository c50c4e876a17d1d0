"""Orders for a device, through an `ssh` that stays on this machine: results, errors with their fix, files on the device."""

import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fission.deployment.deployment import check_host, look
from fission.deployment.order import device_file
from fission.deployment.ssh import Ssh
from fission.errors import RunError, UserError


@pytest.fixture
def ssh(device: Path) -> Iterator[Ssh]:
    with Ssh.connections() as ssh:
        yield ssh


def test_a_device_reports_about_itself(ssh: Ssh) -> None:
    facts = look(ssh, "pi")
    assert facts.hostname == socket.gethostname()
    assert facts.address == "127.0.0.1"
    assert facts.machine == platform.machine()
    assert facts.sudo == "yes"
    assert facts.root == (os.geteuid() == 0)
    assert not facts.active


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("away", "away: ssh does not connect: .*timed out. Check that the device is on, and in this network"),
        ("locked", r"locked: .*Permission denied \(publickey\). Let your key in there: ssh-copy-id locked"),
        ("stranger", "stranger: .*verification failed. Connect once by hand, .*: ssh stranger"),
        (
            "bare",
            "bare: Python is not installed; expected 3.11 or newer. On the device: sudo apt-get install ",
        ),
        ("old", "old: its Python is too old; expected 3.11 or newer, found 3.9. Install a system with "),
        ("mute", "mute: ssh ended with exit code 0. Try it by hand: ssh mute true"),
    ],
)
def test_each_error_is_one_line_with_the_fix(ssh: Ssh, host: str, text: str) -> None:
    with pytest.raises(RunError, match=f"^{text}") as caught:
        look(ssh, host)
    assert "\n" not in str(caught.value)


def test_the_sudo_password(ssh: Ssh) -> None:
    ssh.remember_password("pi", "wrong")
    with pytest.raises(RunError, match=r"^pi: sudo: no\. Check the sudo password"):
        ssh.order("pi", {"do": "probe"})
    ssh.remember_password("pi", "right")
    assert ssh.order("pi", {"do": "probe"})["address"] == "127.0.0.1"


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "", "pi one", "a@b@c", "pi;reboot"])
def test_no_host(text: str) -> None:
    with pytest.raises(UserError, match=r"^this is no \[USER@\]HOST"):
        check_host(text)


@pytest.mark.parametrize("text", ["pi", "pi@192.168.4.2", "pi@fd00::2", "my-alias", "under_score@pi.local"])
def test_hosts(text: str) -> None:
    assert check_host(text) == text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files get their owners")
def test_installing_twice_and_removing(ssh: Ssh, device: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        order = _order(tmp_path, port.getsockname()[1])
        steps: list[str] = []
        changed = ssh.order("pi", order, b"zip", say=steps.append)
        assert changed == ["package", "certificate", "settings", "unit", "started"]
        assert steps == ["installing", "starting"]
        config = tmp_path / "etc"
        assert (tmp_path / "opt/wheels.zip").read_bytes() == b"zip"
        assert (config / "certs/key.pem").read_text() == "key"
        assert (config / "certs/key.pem").stat().st_mode & 0o777 == 0o600
        unit = (tmp_path / "fission.service").read_text()
        assert f"ExecStart={tmp_path}/opt/venv/bin/fission-node --config {config}/node.toml\n" in unit
        assert "$" not in unit

        (tmp_path / "installer").write_text("print('unchanged')")
        order["installer"] = "print('unchanged')"
        assert ssh.order("pi", order) == ["started"]  # this systemctl never says that it is active

        (config / "node.toml").write_text("address = 1\nslots = 2\n")  # its owner has added a line
        order["settings"] = "address = 1\n"
        assert ssh.order("pi", order) == ["started"]
        order["keep"] = None
        assert ssh.order("pi", order) == ["settings", "started"]
    removed = ssh.order("pi", {**order, "do": "remove", "data": True})
    assert removed == ["service", str(tmp_path / "opt"), str(config)]
    assert ssh.order("pi", {**order, "do": "remove", "data": True}) == []
    assert "disable --now --quiet fission" in (device / "systemctl.log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files get their owners")
def test_a_failed_installer(ssh: Ssh, tmp_path: Path) -> None:
    order = _order(tmp_path, 1)
    order["installer"] = "import sys; sys.exit('error: No matching distribution found for numpy')"
    with pytest.raises(RunError, match=r"^pi: python3: No matching distribution found for numpy"):
        ssh.order("pi", order)


def _order(folder: Path, port: int) -> dict[str, Any]:
    return {
        "do": "install",
        "prefix": str(folder / "opt"),
        "config": str(folder / "etc"),
        "state": str(folder / "state"),
        "unit": str(folder / "fission.service"),
        "user": "root",
        "address": "127.0.0.1",
        "port": port,
        "packages": [],
        "mode": "offline",
        "installer": "print('changed')",
        "template": device_file("fission.service"),
        "certificate": {"ca.pem": "ca", "cert.pem": "cert", "key.pem": "key"},
        "keep": ["address = 1"],
        "settings": "address = 1\n",
    }
