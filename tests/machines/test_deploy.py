"""`fission deploy` on real machines: installation, repetition, an upgrade and a power loss under a running
stream, the tutorial, removal."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import fission
from kits.counting_project import counting_project
from lab.shell import wait_for
from machinelab import MachineLab

pytestmark = [pytest.mark.long, pytest.mark.machines, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
FISSION = Path(sys.executable).with_name("fission")


class Client:
    """Runs `fission` on the client of a lab, in a project whose certificates are in its folder `certs`."""

    def __init__(self, lab: MachineLab, folder: Path, cache: Path) -> None:
        self.lab = lab
        self.addresses = [machine.address for machine in lab.machines]
        self.root = counting_project(folder, self.addresses, folder / "garden/certs", last=10**9)
        programs = folder / "bin"
        programs.mkdir()
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        ssh = f'#!/bin/sh\nexec {shutil.which("ssh")} -l root -i {lab.key} {options} "$@"\n'
        (programs / "ssh").write_text(ssh, encoding="utf-8")
        (programs / "ssh").chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(cache),
        }

    def fission(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.lab.client(str(FISSION), *words),
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def deploy(self, *words: str, **environment: str) -> list[dict[str, object]]:
        """Deploy with --json; return what has become of the hosts."""
        done = self.fission("deploy", "--offline", "--json", *words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        results: list[dict[str, object]] = json.loads(done.stdout)
        return results


@pytest.fixture(scope="module")
def client(machines: MachineLab, tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Client:
    return Client(machines, tmp_path_factory.mktemp("client"), wheels)


def test_a_dry_run_changes_nothing(client):
    done = client.fission("deploy", "--offline", "--dry-run", *client.addresses)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("would install FISSION") == len(client.addresses)
    for machine in client.lab.machines:
        assert machine.run("ls -d /opt/fission /etc/fission 2>/dev/null || true") == ""


def test_services_are_installed_and_serve(client):
    results = client.deploy(*client.addresses)
    assert [one["name"] for one in results] == [machine.name for machine in client.lab.machines]
    for machine in client.lab.machines:
        assert machine.run("systemctl is-active fission").strip() == "active"
        assert machine.run("systemctl is-enabled fission").strip() == "enabled"
        assert machine.run("stat --format=%a:%U /etc/fission/certs/key.pem").strip() == "600:fission"
    rows = {f"{machine.name},{machine.address}" for machine in client.lab.machines}
    assert set((client.root / "nodes.csv").read_text().splitlines()) == {"name,address"} | rows


def test_a_second_time_changes_nothing(client):
    assert all(one["changed"] == [] for one in client.deploy(*client.addresses))


def test_the_doctor_examines_installed_services(client):
    done = client.fission("doctor", "counting", "--json")
    found = json.loads(done.stdout)["findings"]
    assert done.returncode == 0, [one for one in found if one["level"] != "ok"]
    for address in client.addresses:
        own = {one["id"]: one for one in found if one["node"] == address}
        # the unit forbids the service to ask the kernel for its clock
        assert own["clock.sync"]["text"] in ("the clock is synchronized", "the clock is not synchronized")
        assert own["groups.user"]["level"] == "ok", own["groups.user"]
        assert own["files.limit"]["level"] == own["port.data"]["level"] == "ok"


def test_an_unreachable_host_does_not_keep_the_others_from_it(client):
    done = client.fission("deploy", "--offline", "10.77.0.99", client.addresses[0])
    assert done.returncode == 1
    assert "nothing has changed" in done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert "10.77.0.99: ssh does not connect: " in done.stderr


def test_an_upgrade_under_a_running_stream_loses_nothing(client, tmp_path):
    newer = _newer_version(tmp_path / "newer")
    config = client.root / "counting/config.py"
    text = config.read_text(encoding="utf-8")
    lines = ['NODES = "nodes.csv"' if line.startswith("NODES") else line for line in text.splitlines()]
    config.write_text("\n".join(lines), encoding="utf-8")
    before = {machine.name: _pid(machine) for machine in client.lab.machines}
    with _counting(client, tmp_path) as rows:
        refused = client.fission("deploy", "--offline", client.addresses[0], PYTHONPATH=str(newer))
        assert refused.returncode == 1
        assert "Add --upgrade" in refused.stderr
        results = client.deploy("--upgrade", PYTHONPATH=str(newer))
        assert all(one["changed"] == ["package"] for one in results)
        nodes = _view(client)["nodes"]
        assert {one["versions"]["fission"] for one in nodes} == {_next_version()}
        assert {one["state"] for one in nodes} == {"up"}
        _wait_for_more(rows)
    assert all(_pid(machine) != before[machine.name] for machine in client.lab.machines)


def test_a_machine_loses_power_under_a_running_stream_and_comes_back(client, tmp_path):
    with _counting(client, tmp_path) as rows:
        victim = next(one for one in client.lab.machines if one.address == _node_of(client, 2))
        victim.power_off()
        wait_for(lambda: _node_of(client, 2) not in ("", victim.address), "the job to run elsewhere", 60)
        _wait_for_more(rows)
        victim.boot()
        victim.wait()
        wait_for(lambda: _state_of(client, victim.address) == "up", "the machine to join again", 60)
        _wait_for_more(rows)


def test_the_tutorial_runs_across_the_machines(client, tmp_path):
    root = tmp_path / "tutorial"
    shutil.copytree(ROOT / "examples/tutorial", root)
    config = root / "demo_network_v1/config.py"
    text = re.sub(r"(?s)^NODES = \[.*?\n\]", 'NODES = "nodes.csv"', config.read_text(), flags=re.MULTILINE)
    text = text.replace('CLIENT_IP = "127.0.0.1"', "CLIENT_IP = None").replace("DEBUG_WINDOW = True", "")
    config.write_text(f"{text}\nCERTS = {str(client.root / 'certs')!r}\n")
    shutil.copy(client.root / "nodes.csv", root)
    with (tmp_path / "run.log").open("w+") as log:
        run = subprocess.Popen(
            client.lab.client(str(FISSION), "run", "demo_network_v1"),
            cwd=root,
            env=client.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: "5 -> Sum over [1, 8, 27, 64, 125] is 225" in _text(log), "the first sum", 90)
        finally:
            run.send_signal(signal.SIGINT)
            run.wait(60)
        text = _text(log)
    assert all(f"{address} " in text for address in client.addresses)
    assert "error" not in text


def test_removal(client):
    done = client.fission("deploy", "--remove", "--data", *client.addresses)
    assert done.returncode == 0, done.stderr
    for machine in client.lab.machines:
        assert machine.run("ls -d /opt/fission /etc/fission /var/lib/fission 2>/dev/null || true") == ""
        assert machine.run("systemctl is-active fission || true").strip() == "inactive"
    assert (client.root / "nodes.csv").read_text() == "name,address\n"
    assert client.fission("deploy", "--remove", client.addresses[0]).stdout.endswith(
        "nothing was installed\n"
    )


@contextlib.contextmanager
def _counting(client: Client, folder: Path) -> Iterator[Path]:
    """Run the network during the block, stop it, and compare what its sink has with what it must have."""
    rows = client.root / "counting/local/3/rows.csv"
    rows.unlink(missing_ok=True)
    with (folder / "run.log").open("w") as log:
        run = subprocess.Popen(
            client.lab.client(str(FISSION), "run", "counting"),
            cwd=client.root,
            env=client.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: rows.exists() and rows.stat().st_size > 100, "rows at the sink", 60)
        yield rows
        stopped = client.fission("stop", "counting")
        assert stopped.returncode == 0, stopped.stderr
        run.wait(60)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait(10)
    with rows.open(newline="") as file:
        values = [int(row[0]) for row in list(csv.reader(file))[1:]]
    assert values == [2 * number for number in range(1, len(values) + 1)], "a block is lost or repeated"


def _wait_for_more(rows: Path) -> None:
    size = rows.stat().st_size
    wait_for(lambda: rows.stat().st_size > size + 100, "more rows at the sink", 60)


def _text(file) -> str:
    return Path(file.name).read_text()


def _node_of(client, job):
    return next((one["node"] for one in _view(client)["jobs"] if one["id"] == job), "")


def _state_of(client, address):
    return next((one["state"] for one in _view(client)["nodes"] if one["address"] == address), "")


def _newer_version(folder: Path) -> Path:
    """Copy FISSION as its next patch release; return the folder for PYTHONPATH."""
    shutil.copytree(
        Path(fission.__file__).parent, folder / "fission", ignore=shutil.ignore_patterns("__pycache__")
    )
    about = metadata.distribution("fission")
    info = folder / f"fission-{_next_version()}.dist-info"
    info.mkdir()
    text = (about.read_text("METADATA") or "").replace(
        f"\nVersion: {about.version}\n", f"\nVersion: {_next_version()}\n"
    )
    (info / "METADATA").write_text(text, encoding="utf-8")
    (info / "entry_points.txt").write_text(about.read_text("entry_points.txt") or "", encoding="utf-8")
    return folder


def _next_version() -> str:
    major, minor, patch = metadata.version("fission").split(".")[:3]
    return f"{major}.{minor}.{int(patch) + 1}"


def _pid(machine):
    return machine.run("systemctl show fission --property=MainPID --value").strip()


def _view(client):
    done = client.fission("status", "counting", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
