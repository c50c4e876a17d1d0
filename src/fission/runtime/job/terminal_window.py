"""Windows of the desktop, or of tmux, in which a command runs."""

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

__all__ = ["open_window", "window_command"]

_TERMINALS = ("x-terminal-emulator", "lxterminal", "xterm")
_AS_ONE_WORD = frozenset({"lxterminal", "xfce4-terminal", "mate-terminal"})
"""Terminals that take the command as one text."""
_AFTER_DASHES = frozenset({"gnome-terminal", "kgx", "ptyxis"})

Which = Callable[[str], str | None]


def window_command(
    title: str, command: Sequence[str], environ: Mapping[str, str], which: Which = shutil.which
) -> list[str] | None:
    """Return what opens a window with this command in it; None where there is neither a display nor tmux.

    `$TERMINAL` is asked first, then the terminals that systems have.
    """
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        for wanted in (environ.get("TERMINAL", ""), *_TERMINALS):
            words = shlex.split(wanted)
            if words and which(words[0]):
                return [*words, *_arguments(os.path.basename(words[0]), command)]
    if environ.get("TMUX") and which("tmux"):
        return ["tmux", "new-window", "-d", "-n", title, shlex.join(command)]
    return None


def _arguments(terminal: str, command: Sequence[str]) -> list[str]:
    if terminal in _AFTER_DASHES:
        return ["--", *command]
    return ["-e", shlex.join(command)] if terminal in _AS_ONE_WORD else ["-e", *command]


def open_window(title: str, command: Sequence[str]) -> bool:
    """Open a window if that is possible here, unless FISSION_WINDOWS is "off"; return whether one was opened."""
    if os.environ.get("FISSION_WINDOWS") == "off":
        return False
    opening = window_command(title, command, os.environ)
    if opening is None:
        return False
    with contextlib.suppress(OSError):
        subprocess.Popen(  # noqa: S603 - the user's own terminal
            opening, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return True
    return False
