"""`simulate` is called for a network that has been checked, and for no other. What it does: tests/integration."""

from pathlib import Path
from typing import Any

import pytest

from fission.core.network import Network
from kits.command_line import CONFIG, Run

BROKEN = CONFIG + "\nJOBS.pop()\nUSR = 'pi'\n"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What simulate_network was called with."""
    calls: list[dict[str, Any]] = []

    def simulate_network(network: Network, root: Path, **options: Any) -> int:
        calls.append({"network": network.name, "root": root, **options})
        return 5

    monkeypatch.setattr("fission.management.commands.network.simulate.simulate_network", simulate_network)
    return calls


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("manage.py demo simulate", {}),
        ("fission simulate demo", {}),
        ("fission simulate demo --for 1m --quiet", {"seconds": 60.0, "quiet": True}),
        (
            "manage.py demo simulate --for 500ms --until-finished -q",
            {"seconds": 0.5, "until_finished": True, "quiet": True},
        ),
    ],
)
def test_a_sound_network_is_simulated(
    root: Path, run: Run, calls: list[dict[str, Any]], command: str, options: dict[str, Any]
) -> None:
    result = run(*command.split())
    assert result.code == 5
    usual = {"network": "demo", "root": root, "seconds": None, "until_finished": False, "quiet": False}
    assert calls == [usual | options]


def test_a_broken_one_is_not_and_all_its_problems_are_told(
    root: Path, run: Run, calls: list[dict[str, Any]]
) -> None:
    (root / "demo/config.py").write_text(BROKEN)
    result = run("manage.py", "demo", "simulate")
    assert (result.code, result.out, calls) == (2, "", [])
    assert result.err.splitlines() == [
        "error E002 demo/config.py:8, USR: there is no such setting",
        "     hint: Did you mean 'USER'?",
        "warning W006 demo/config.py:5, JOBS: a SinkJob was created that is not in JOBS",
        "     hint: It is not part of the network",
        "error E113 pipe 101 (PicklePipe): has no destination: the blocks of SourceJob 1 are never read",
        "     hint: Is it in the inputs of a job?",
        "error: network demo: the network cannot run: 2 errors, 1 warning",
    ]


def test_warnings_are_told_and_it_runs(root: Path, run: Run, calls: list[dict[str, Any]]) -> None:
    (root / "demo/config.py").write_text(CONFIG + "SinkJob()")
    assert run("fission", "simulate", "demo").err.startswith("warning W006")
    assert run("fission", "simulate", "demo", "--quiet").err == ""
    assert len(calls) == 2


def test_quiet_still_tells_errors(root: Path, run: Run, calls: list[dict[str, Any]]) -> None:
    (root / "demo/config.py").write_text(BROKEN)
    err = run("fission", "simulate", "demo", "--quiet").err
    assert "E002" in err
    assert "W006" not in err
    assert not calls
