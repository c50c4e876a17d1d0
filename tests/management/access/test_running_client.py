"""Commands that meet a client which cannot be asked: it has taken its folder and does not listen yet, or not any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.engine.client.private.journal import Journal
from fission.engine.client.private.run_folder import private_folder
from fission.engine.files import locks
from fission.management.commands.cluster import stop
from kits.command_line import Run


@pytest.fixture
def begun(root: Path) -> Iterator[Path]:
    """The private folder of a network that an earlier client has left, and that a new one is about to take over."""
    folder = private_folder(root / "demo")
    journal = Journal(folder)
    journal.write({"run": "r1"})
    with locks.locked(folder) as taken:
        assert taken
        yield folder


@pytest.mark.parametrize("command", [("status", "demo"), ("drain", "demo", "10.0.0.2")])
def test_a_client_that_has_just_begun_is_not_gone(run: Run, begun: Path, command: tuple[str, ...]) -> None:
    done = run("fission", *command)
    assert done.code == 1
    assert "cannot be asked: it has just begun, or ends" in done.err
    assert "takes them over" not in done.err


def test_stop_waits_for_a_client_that_has_just_begun(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(_root: Path, _name: str, **request: object) -> dict[str, object] | None:
        asked.append(str(request["do"]))
        return {"lines": []} if len(asked) == 3 else None

    monkeypatch.setattr(stop, "ask", ask)
    private_folder(root / "demo").mkdir(exist_ok=True)
    with locks.locked(private_folder(root / "demo")) as taken:
        assert taken
        done = run("fission", "stop", "demo")
    assert (done.code, asked) == (0, ["stop", "stop", "stop", "status"])
    assert "demo has ended" in done.out


def test_stop_does_not_wait_for_ever(run: Run, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "_LONGEST", 0.0)
    done = run("fission", "stop", "demo")
    assert done.code == 1
    assert "cannot be asked" in done.err
    assert begun.is_dir()
