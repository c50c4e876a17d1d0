"""Three booted machines, and what Ansible needs to set them up."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from machinelab import MachineLab, unavailable
from machinelab.lab import PASSWORD, USER

ROOT = Path(__file__).parents[2]
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")


@dataclass
class Site:
    """A lab with an inventory. `play` runs a playbook and returns the changed tasks per machine."""

    lab: MachineLab
    inventory: Path

    def play(self, playbook: str, *options: str) -> dict[str, int]:
        environment = {
            **os.environ,
            "ANSIBLE_HOST_KEY_CHECKING": "False",
        }
        command = [
            str(ANSIBLE),
            "-i",
            str(self.inventory / "hosts.yml"),
            *options,
            f"playbooks/{playbook}.yml",
        ]
        done = subprocess.run(
            self.lab.client(*command),
            cwd=ROOT / "ansible",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:] + self._journals()
        changed = {}
        for line in done.stdout.partition("PLAY RECAP")[2].splitlines():
            name, colon, rest = line.partition(":")
            if colon:
                counts = dict(word.split("=") for word in rest.split())
                changed[name.strip()] = int(counts["changed"])
        return changed

    def _journals(self) -> str:
        """Return the last lines of each service, for the report of a failure."""
        return "".join(
            f"\n{machine.name}:\n{machine.run('journalctl --unit=fission --lines=20 --no-pager || true')}"
            for machine in self.lab.machines
        )


@pytest.fixture(scope="module")
def machines() -> Iterator[MachineLab]:
    if why := unavailable():
        pytest.skip(why)
    with MachineLab.up(3) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> MachineLab:
    """The machines, for Ansible."""
    if not ANSIBLE.exists():
        pytest.skip("ansible-playbook is not installed: pip install --group ansible")
    lab: MachineLab = request.getfixturevalue("machines")
    return lab


@pytest.fixture(scope="module")
def wheels(machines: MachineLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the wheels for the machines, which have no way to a package index, nor has their client."""
    folder = tmp_path_factory.mktemp("cache")
    _collect_wheels(folder / "fission/wheels", machines)
    return folder


@pytest.fixture(scope="module")
def site(lab: MachineLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The inventory: two machines that a key opens, and one that wants passwords."""
    folder = tmp_path_factory.mktemp("site")
    settings = folder / "group_vars/fissionservers"
    settings.mkdir(parents=True)
    by_key = {"ansible_user": "root", "ansible_ssh_private_key_file": str(lab.key)}
    by_password = {"ansible_user": USER, "ansible_password": PASSWORD, "ansible_become_password": PASSWORD}
    hosts = {
        machine.name: {"ansible_host": machine.address, **(by_password if number == 2 else by_key)}
        for number, machine in enumerate(lab.machines)
    }
    hosts["pi2"]["dispy_ip"] = hosts["pi2"]["ansible_host"]
    hosts["pi1"]["node_groups"] = ["MICROPHONE"]
    (folder / "hosts.yml").write_text(json.dumps({"fissionservers": {"hosts": hosts}}), encoding="utf-8")
    where = {
        "offline": True,
        "fission_certs_dir": str(folder / "certs"),
        "fission_wheels_dir": str(folder / "wheels"),
    }
    (settings / "setting.yml").write_text(json.dumps(where), encoding="utf-8")
    _collect_wheels(folder / "wheels", lab)
    return Site(lab, folder)


def _collect_wheels(folder: Path, lab: MachineLab) -> None:
    """Collect the wheels ahead: the lab has no way to a package index, and the playbook finds that nothing has changed."""
    version = lab.machines[0].run("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    machine = os.uname().machine
    target = folder / f"{machine}-{version}-offline.zip"
    options = [f"--target={target}", f"--machine={machine}", f"--python={version}"]
    done = subprocess.run(
        [sys.executable, "-m", "fission.deployment.wheels", *options, "--packages=[]", "--dependencies"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the wheels cannot be had: {done.stderr.strip()}")
