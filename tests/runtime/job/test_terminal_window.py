"""Which window is opened, on whose desktop."""

import pytest

from fission.runtime.job import terminal_window
from fission.runtime.job.terminal_window import open_window, window_command

COMMAND = ["python", "-m", "it", "a folder"]


def chosen(installed: str, **environ: str) -> list[str] | None:
    return window_command("Job 1", COMMAND, environ, lambda name: name if name in installed.split() else None)


@pytest.mark.parametrize(
    ("installed", "environ", "expected"),
    [
        ("", {}, None),
        ("xterm tmux", {}, None),
        ("xterm", {"DISPLAY": ":0"}, ["xterm", "-e", *COMMAND]),
        ("xterm x-terminal-emulator", {"WAYLAND_DISPLAY": "w"}, ["x-terminal-emulator", "-e", *COMMAND]),
        ("xterm lxterminal", {"DISPLAY": ":0"}, ["lxterminal", "-e", "python -m it 'a folder'"]),
        ("xterm mine", {"DISPLAY": ":0", "TERMINAL": "mine --big"}, ["mine", "--big", "-e", *COMMAND]),
        (
            "gnome-terminal",
            {"DISPLAY": ":0", "TERMINAL": "gnome-terminal"},
            ["gnome-terminal", "--", *COMMAND],
        ),
        ("xterm", {"DISPLAY": ":0", "TERMINAL": "missing"}, ["xterm", "-e", *COMMAND]),
        ("", {"DISPLAY": ":0"}, None),
        ("tmux", {"TMUX": "x"}, ["tmux", "new-window", "-d", "-n", "Job 1", "python -m it 'a folder'"]),
        ("tmux xterm", {"TMUX": "x", "DISPLAY": ":0"}, ["xterm", "-e", *COMMAND]),
        ("", {"TMUX": "x"}, None),
    ],
)
def test_the_first_that_is_there(installed: str, environ: dict[str, str], expected: list[str] | None) -> None:
    assert chosen(installed, **environ) == expected


def test_windows_may_be_unwanted_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_window, "window_command", lambda *_: ["/no/such/terminal"])
    assert not open_window("Job 1", COMMAND)
    monkeypatch.setattr(terminal_window, "window_command", lambda *_: ["true"])
    monkeypatch.setenv("FISSION_WINDOWS", "off")
    assert not open_window("Job 1", COMMAND)
