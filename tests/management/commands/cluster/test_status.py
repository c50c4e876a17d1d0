"""`status`: what is printed of the view that a running client sends."""

from dataclasses import asdict
from pathlib import Path

import pytest

from fission.management.commands.cluster import status
from fission.monitor import NetworkView, NodeView


def node(address: str, offset: float | None, error: float | None) -> NodeView:
    return NodeView(
        address, "", "up", "", (), 2, 1, 90.0, 1 << 30, 1 << 30, clock_offset=offset, clock_error=error
    )


def test_clocks_that_differ_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = (
        node("10.0.0.2", 90_000.0, 0.001),
        node("10.0.0.3", -3.25, 0.01),
        node("10.0.0.4", 0.3, 0.25),  # perhaps only the network is slow
        node("10.0.0.5", 0.05, 0.001),
        node("10.0.0.6", None, None),
    )
    view = NetworkView("demo", "r1", "running", 5.0, 1, nodes, (), ())
    monkeypatch.setattr(status, "ask", lambda *_arguments, **_request: {"network": asdict(view)})
    assert status.status_command(tmp_path, "demo", as_json=False) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "clocks differ" in line]
    assert lines == [
        "10.0.0.2: clocks differ by 90000.0 s (it is ahead of the client)",
        "10.0.0.3: clocks differ by 3.2 s (it is behind the client)",
    ]
