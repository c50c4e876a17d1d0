"""The playbooks on real machines: installation, idempotence, a network across them, power loss, removal."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kits.counting_project import COUNTING, counting_project
from lab.shell import wait_for

pytestmark = [pytest.mark.long, pytest.mark.machines, pytest.mark.timeout(900)]
FISSION = Path(sys.executable).with_name("fission")


def test_the_services_are_installed_and_run(site):
    changed = site.play("servers")
    assert all(changed[machine.name] for machine in site.lab.machines)
    for machine in site.lab.machines:
        assert machine.run("systemctl is-active fission").strip() == "active"
        assert machine.run("systemctl is-enabled fission").strip() == "enabled"
        assert machine.run("stat --format=%a:%U /etc/fission/certs/key.pem").strip() == "600:fission"
        pid = machine.run("systemctl show fission --property=MainPID --value").strip()
        assert machine.run(f"stat --format=%U /proc/{pid}").strip() == "fission"


def test_a_second_time_changes_nothing(site):
    assert set(site.play("servers").values()) == {0}
    assert set(site.play("servers", "--check").values()) == {0}


def test_stop_start_restart_renew_status_and_logs(site):
    machine = site.lab.machines[0]
    site.play("service", "-e", "fission_action=stopped")
    assert machine.run("systemctl is-active fission || true").strip() == "inactive"
    site.play("service", "-e", "fission_action=started")
    assert machine.run("systemctl is-active fission").strip() == "active"
    before = machine.run("systemctl show fission --property=MainPID")
    site.play("renew")
    assert machine.run("systemctl show fission --property=MainPID") != before
    site.play("status")
    site.play("logs")


def test_a_network_survives_the_loss_of_a_machine_that_comes_back(site, tmp_path):
    root = counting_project(
        tmp_path, [machine.address for machine in site.lab.machines], site.inventory / "certs"
    )
    rows = root / "counting/local/3/rows.csv"
    with (tmp_path / "run.log").open("w") as log:
        client = subprocess.Popen(
            site.lab.client(str(FISSION), "run", "counting", "--until-finished"),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: rows.exists() and rows.stat().st_size > 500, "rows at the sink", 60)
        victim = next(machine for machine in site.lab.machines if machine.address == _node_of(site, root, 2))
        victim.power_off()
        wait_for(lambda: _node_of(site, root, 2) not in ("", victim.address), "the job to run elsewhere", 30)
        victim.boot()
        victim.wait()
        wait_for(lambda: _state_of(site, root, victim.address) == "up", "the machine to join again", 60)
        assert client.wait(120) == 0, (tmp_path / "run.log").read_text()[-3000:]
    finally:
        if client.poll() is None:
            os.killpg(client.pid, signal.SIGKILL)
            client.wait(10)
    with rows.open(newline="") as file:
        values = [int(row[0]) for row in list(csv.reader(file))[1:]]
    assert values == [2 * number for number in range(1, COUNTING + 1)]


def test_removal_leaves_nothing_that_runs(site):
    site.play("uninstall", "-e", "fission_remove_data=true")
    for machine in site.lab.machines:
        assert (
            machine.run("ls -d /opt/fission /etc/fission /etc/systemd/system/fission.service || true") == ""
        )
        assert machine.run("pgrep -c -f 'fission.*node' || true").strip() in ("0", "1")  # pgrep's own shell
    assert set(site.play("uninstall").values()) == {0}


def _view(site, root):
    done = subprocess.run(
        site.lab.client(str(FISSION), "status", "counting", "--json"),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else {"jobs": [], "nodes": []}


def _node_of(site, root, job):
    return next((one["node"] for one in _view(site, root)["jobs"] if one["id"] == job), "")


def _state_of(site, root, address):
    return next((one["state"] for one in _view(site, root)["nodes"] if one["address"] == address), "")
