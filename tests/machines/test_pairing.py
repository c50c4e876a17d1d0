"""`fission-node --pair` on a booted machine, as root, for the service that systemd runs as an account of its own, which then
announces itself."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kits.counting_project import counting_project
from lab.shell import wait_for
from machinelab import MachineLab
from machinelab.lab import Machine

pytestmark = [pytest.mark.long, pytest.mark.machines, pytest.mark.timeout(600)]
FISSION = Path(sys.executable).with_name("fission")
PROGRAM = "/opt/fission/venv/bin/fission-node --config /etc/fission/node.toml --pair"


def install_extras(machine: Machine) -> None:
    """Copy the libraries into the environment of the service: the machine has no package index."""
    (packages,) = (machine.root / "opt/fission/venv/lib").glob("python3.*/site-packages")
    for name in ("spake2", "zeroconf", "ifaddr"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, packages / name)


def test_a_service_without_certificate_is_paired(machines: MachineLab, wheels: Path, tmp_path: Path) -> None:
    machine = machines.machines[0]
    root = counting_project(tmp_path, [machine.address], tmp_path / "garden/certs", last=10)
    (tmp_path / "bin").mkdir()
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -l root -i {machines.key} {options} "$@"\n')
    ssh.chmod(0o755)

    def fission(*words: str) -> str:
        done = subprocess.run(
            machines.client(str(FISSION), *words),
            cwd=root,
            env={**os.environ, "PATH": f"{ssh.parent}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(wheels)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    fission("deploy", "--offline", machine.address)
    install_extras(machine)
    machine.run("systemctl stop fission && rm -r /etc/fission/certs")
    refused = machine.run(f"runuser -u fission -- {PROGRAM} 2>&1 || true")
    assert "the certificate cannot be installed there (Permission denied)" in refused
    assert "pairing code" not in refused
    machine.run(f"systemd-run --unit=pairing {PROGRAM}")

    def said() -> str:
        return machine.run("journalctl --unit=pairing --output=cat --no-pager")

    wait_for(lambda: "on the client" in said(), "the code", 60)
    code = re.findall(r"pairing code: (\d{4} \d{4})", said())[-1]
    assert "sudo systemctl restart fission" in fission("pair", machine.address, "--code", code)
    assert machine.run("stat --format=%a:%U:%G /etc/fission/certs /etc/fission/certs/key.pem").split() == [
        "750:root:fission",
        "600:fission:fission",
    ]
    machine.run("systemctl start fission")
    # deploy finds everything as it would have made it, and shakes hands with the service
    (result,) = json.loads(fission("deploy", "--offline", "--json", machine.address))
    assert result["changed"] == []
    machine.run("echo 'announce = true' >> /etc/fission/node.toml && systemctl restart fission")

    def listed() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(
            fission("nodes", "--discover", "--seconds", "2", "--json")
        )
        return found

    wait_for(listed, "the announcement", 60)
    (node,) = listed()
    assert (node["addresses"], node["authority"]) == ([machine.address], "ours")
