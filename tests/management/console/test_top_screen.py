"""The screen of `top`: it fits the terminal, and asks before it changes anything."""

import io
from typing import Any

import pytest
from rich.console import Console

from fission.management.console.top_screen import Screen
from fission.monitor import JobView, NetworkView, NodeView, PipeView


def view(jobs: int = 3, seconds: float = 1.0, rounds: int = 0) -> dict[str, Any]:
    nodes = [NodeView(f"10.0.0.{i}", "", "up", "", (), 2, 1, 50.0, 1 << 30, 0) for i in range(jobs)]
    places = [
        JobView(i, f"Job\x1b {i}", "running", f"10.0.0.{i}", 1, rounds, seconds / 2) for i in range(jobs)
    ]
    pipes = [
        PipeView(i, "PicklePipe", i, i + 1, sent=rounds, delivered=rounds, bytes=1000 * rounds)
        for i in range(jobs - 1)
    ]
    return NetworkView("net", "r", "running", seconds, 1, tuple(nodes), tuple(places), tuple(pipes)).plain()


def drawn(screen: Screen, width: int = 80, height: int | None = 24) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(screen.render(height))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("jobs", [1, 3, 10, 200])
@pytest.mark.parametrize("size", [(80, 24), (60, 15), (200, 60)])
def test_it_fits_the_terminal(jobs: int, size: tuple[int, int]) -> None:
    screen = Screen(view(jobs))
    for _ in range(jobs // 2):
        screen.press("down")
    for _ in range(2):
        lines = drawn(screen, *size)
        assert len(lines) <= size[1]
        assert all(len(line) <= size[0] for line in lines)
        assert any(f" {jobs // 2} " in line for line in lines)  # the chosen job is visible
        assert "\x1b" not in "".join(lines)
        screen.press("l")


def test_rates() -> None:
    screen = Screen(view(2, 1.0, 100))
    screen.update(view(2, 3.0, 300))
    text = "\n".join(drawn(screen))
    assert "100.0" in text
    assert "50 %" in text


def test_it_asks_first() -> None:
    screen = Screen(view())
    screen.press("down")
    assert screen.press("m") is None
    assert "y/n" in screen.message
    assert screen.press("n") is None
    assert screen.press("y") is None
    assert screen.press("m") is None
    assert screen.press("y") == {"do": "move", "job": 1, "node": ""}
    screen.press("d")
    assert screen.press("y") == {"do": "drain", "node": "10.0.0.1", "undo": False}
    screen.press("r")
    assert screen.press("y") == {"do": "reload", "job": 1}


def test_a_job_without_a_node_is_not_drained_and_no_jobs_are_no_problem() -> None:
    local = view(1)
    local["nodes"] = []
    screen = Screen(local)
    screen.press("d")
    assert "on no node" in screen.message
    assert screen.press("y") is None
    empty = Screen({**local, "jobs": [], "pipes": []})
    for key in ("down", "up", "l", "m", "y"):
        assert empty.press(key) is None
    assert drawn(empty)
