"""`fission deploy` where no device can be reached: its errors, exit codes and JSON."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fission.deployment.deployment import Plan
from fission.errors import UserError
from fission.management.commands.devices.deploy import DeployOptions, deploy_command

_SSH = """#!/bin/sh
while [ "$1" != -- ]; do
  [ "$1" = -O ] && exit 0
  shift
done
echo "ssh: connect to host $2 port 22: Connection refused" >&2
exit 255
"""


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeployOptions:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(_SSH)
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return DeployOptions(Plan(8785), tmp_path / "certs", tmp_path / "nodes.csv", as_json=True)


def test_each_device_has_one_line(options: DeployOptions, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy_command(["pi1", "pi@pi2", "pi1"], options) == 1
    out, err = capsys.readouterr()
    fix = "Start its ssh service there: sudo systemctl enable --now ssh"
    assert [line.split(": ")[1] for line in err.splitlines()] == ["pi1", "pi@pi2"]
    assert all(line.endswith(fix) for line in err.splitlines())
    assert [(one["host"], one["changed"], one["error"] != "") for one in json.loads(out)] == [
        ("pi1", [], True),
        ("pi@pi2", [], True),
    ]
    assert not options.certs.exists()
    assert not options.node_list.exists()


@pytest.mark.parametrize("upgrade", [False, True])
def test_without_hosts(options: DeployOptions, upgrade: bool) -> None:
    with pytest.raises(UserError, match="no hosts are named"):
        deploy_command([], replace(options, upgrade=upgrade))


def test_an_upgrade_without_hosts_is_for_the_node_list(
    options: DeployOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    options.node_list.write_text("name,address\npi1,192.168.4.2\npi2,192.168.4.3\n")
    assert deploy_command([], replace(options, upgrade=True)) == 1
    assert [one["host"] for one in json.loads(capsys.readouterr().out)] == ["192.168.4.2", "192.168.4.3"]


def test_without_ssh(options: DeployOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="the program ssh is not installed"):
        deploy_command(["pi1"], options)
