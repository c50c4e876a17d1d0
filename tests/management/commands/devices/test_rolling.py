"""A node is emptied before its upgrade and used again afterwards, in a network that runs on three local nodes."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fission.errors import RunError
from fission.management.access.running_client import ask
from fission.management.commands.devices.rolling import drained, networks_with
from kits.counting_project import counting_project
from lab.shell import wait_for

FISSION = Path(sys.executable).with_name("fission")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    root = counting_project(tmp_path, [], tmp_path / "certs", last=10**9)
    with (tmp_path / "run.log").open("w") as log:
        run = subprocess.Popen(
            [str(FISSION), "run", "counting", "--embedded", "3"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        rows = root / "counting/local/3/rows.csv"
        wait_for(lambda: rows.exists() and rows.stat().st_size > 50, "rows at the sink", 60)
        yield root
    finally:
        run.send_signal(signal.SIGINT)
        try:
            run.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait(10)


def _view(root: Path) -> dict[str, Any]:
    answer = ask(root, "counting", do="status")
    assert answer is not None
    view: dict[str, Any] = answer["network"]
    return view


def _state(root: Path, address: str) -> str:
    return next(one["state"] for one in _view(root)["nodes"] if one["address"] == address)


def _jobs_on(root: Path, address: str) -> list[int]:
    return [one["id"] for one in _view(root)["jobs"] if one["node"] == address]


def test_a_node_is_emptied_during_the_work_and_used_afterwards(running: Path) -> None:
    address = next(one["node"] for one in _view(running)["jobs"] if one["id"] == 2)
    assert networks_with(running, address) == ["counting"]
    said: list[str] = []
    with drained(running, address, said.append):
        assert _state(running, address) == "draining"
        assert _jobs_on(running, address) == []
    assert _state(running, address) == "up"
    assert said == ["moving the jobs of counting away", "waiting until counting uses it again"]

    with pytest.raises(RunError, match="the work failed"), drained(running, address, said.append):
        raise RunError("the work failed")
    wait_for(lambda: _state(running, address) == "up", "the node to be used after a failure", 20)

    assert ask(running, "counting", do="drain", node=address, undo=False)
    with drained(running, address, said.append):
        pass
    assert _state(running, address) == "draining"  # its operator had drained it

    rows = running / "counting/local/3/rows.csv"
    text = rows.read_bytes().decode()
    values = [int(row[0]) for row in list(csv.reader(text[: text.rindex("\n")].splitlines()))[1:]]
    assert values == [2 * number for number in range(1, len(values) + 1)]


@pytest.mark.parametrize("state", ["refused", "lost", "awaited"])
def test_a_node_that_the_network_does_not_use_is_not_drained(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = counting_project(tmp_path, ["127.0.0.2"], tmp_path / "certs")
    asked = []

    def answer(_root: Path, _name: str, **request: Any) -> dict[str, Any]:
        asked.append(request["do"])
        return {"network": {"nodes": [{"address": "127.0.0.2", "state": state, "reason": ""}], "jobs": []}}

    monkeypatch.setattr("fission.management.commands.devices.rolling.ask", answer)
    assert networks_with(root, "127.0.0.2") == []
    with drained(root, "127.0.0.2", pytest.fail):
        pass
    assert set(asked) == {"status"}


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_node_that_is_refused_while_its_service_restarts(
    comes_back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = counting_project(tmp_path, ["127.0.0.2"], tmp_path / "certs")
    states = ["up"]

    def answer(_root: Path, _name: str, **request: Any) -> dict[str, Any]:
        if request["do"] == "drain":
            states[:] = ["refused", "refused", "up"] if request["undo"] and comes_back else ["refused"]
            return {}
        state = states.pop(0) if len(states) > 1 else states[0]
        node = {"address": "127.0.0.2", "state": state, "reason": "the node is about to end"}
        return {"network": {"nodes": [node], "jobs": []}}

    monkeypatch.setattr("fission.management.commands.devices.rolling.ask", answer)
    if not comes_back:
        monkeypatch.setattr("fission.management.commands.devices.rolling._RETURN_SECONDS", 0.5)
    said: list[str] = []
    work = drained(root, "127.0.0.2", said.append)
    if comes_back:
        with work:
            pass
        return
    with (
        pytest.raises(RunError, match="does not join the network counting again: the node is about to end"),
        work,
    ):
        pass


def test_nothing_runs(tmp_path: Path) -> None:
    root = counting_project(tmp_path, ["127.0.0.2"], tmp_path / "certs")
    assert networks_with(root, "127.0.0.2") == []
    assert networks_with(None, "127.0.0.2") == []
    with drained(root, "127.0.0.2", pytest.fail):
        pass
