"""Where people type the lines of an `InteractiveJob`: a Unix socket in the job's folder.

Any number of consoles may be connected at once; `management.commands.cluster.lines` is one. Both directions are lines of UTF-8.
A console that has said all closes its direction, and ours is closed when its lines have been worked off.
"""

import atexit
import contextlib
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from fission.core.jobs.interactive import InteractiveJob
from fission.runtime.job.terminal_window import open_window

__all__ = ["SOCKET", "Console", "open_console"]

SOCKET = "interact.sock"
"""Name of the socket in the job's folder."""

_LOOK = 0.2
_WAITING_LINES = 1000
_LONGEST = 1 << 20


class _Guest:
    """A console that is connected."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def say(self, text: str) -> None:
        """Show a line; one that does not look is not waited for."""
        with contextlib.suppress(OSError):
            self.sock.send(f"{text}\n".encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class TypedLine:
    """A line, and who has typed it; without text: there will be no more from there."""

    def __init__(self, text: str | None, guest: _Guest) -> None:
        self.text = text or ""
        self.last = text is None
        self.guest = guest

    def answer(self, text: str) -> None:
        """Show a line to who has typed it."""
        self.guest.say(text)


class Console:
    """Iterate over the lines that are typed; ends when the job is `over`, which nobody needs to type for."""

    def __init__(self, greeting: str, over: Callable[[], bool]) -> None:
        self._greeting = greeting
        self._over = over
        self._lines: queue.Queue[TypedLine] = queue.Queue(_WAITING_LINES)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)  # of a predecessor
        self._listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # nobody else may type
        try:
            self._listener.bind(
                SOCKET
            )  # in the job's folder; its whole path may be longer than a socket's can be
        finally:
            os.umask(before)
        self._listener.listen()
        atexit.register(self._remove, os.path.abspath(SOCKET))
        threading.Thread(target=self._accept, name="fission-console", daemon=True).start()

    def __iter__(self) -> Iterator[TypedLine]:
        while not self._over():
            try:
                line = self._lines.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if line.last:
                line.guest.sock.close()
            else:
                yield line

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            guest = _Guest(sock)
            guest.say(self._greeting)
            threading.Thread(target=self._listen, args=(guest,), name="fission-typing", daemon=True).start()

    def _listen(self, guest: _Guest) -> None:
        with contextlib.suppress(OSError), guest.sock.makefile("rb") as file:
            while line := file.readline(_LONGEST):
                self._lines.put(TypedLine(line.decode("utf-8", "replace").rstrip("\r\n"), guest))
        self._lines.put(TypedLine(None, guest))

    @staticmethod
    def _remove(path: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(path)


def open_console(
    job: InteractiveJob,
    over: Callable[[], bool],
    *,
    machine: str = "",
    identity: str = "",
    log: Callable[[int, str], None],
) -> Console:
    """Open the console of a job, in its folder, and a window to type in where there can be one.

    With a certificate in the folder `identity` people on other machines may type as well, through TLS, at an address
    of this `machine`.
    """
    greeting = f"{job.name}: each line that you type becomes a block. Ctrl+D leaves."
    console = Console(greeting, over)
    folder = Path.cwd()
    opened = job.WINDOW and open_window(
        job.name, [sys.executable, "-m", "fission.management.commands.cluster.lines", str(folder)]
    )
    # NET/simulation/ID or NET/local/ID
    command = f"fission interact {folder.parent.parent.name} {job.id}"
    if machine and identity:
        from fission.runtime.job.console_tls import ConsoleTlsListener  # noqa: PLC0415 - ssl is slow to import

        here = os.open(
            folder, os.O_PATH | os.O_DIRECTORY
        )  # the path may be too long, and user code may go elsewhere
        door = ConsoleTlsListener(machine, identity, f"/proc/self/fd/{here}/{SOCKET}", log)
        log(20, f"from other machines: {command} --at {door.address}")
    print(f"{'more consoles' if opened else 'to type lines'}: {command}", flush=True)  # noqa: T201 - for who runs it
    return console
