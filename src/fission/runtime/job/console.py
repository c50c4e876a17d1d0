"""The console of an `InteractiveJob`: a Unix socket in the job's folder, over which lines are typed.

Any number of consoles may be connected at once; `management.commands.cluster.lines` is one. Both directions are lines of UTF-8.
A console that types no more closes its direction; the job closes the other one when it has processed the lines.
"""

import atexit
import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fission.core.jobs.interactive import InteractiveJob
from fission.runtime.job.terminal_window import open_window

__all__ = ["SOCKET", "Console", "open_console"]

SOCKET = "interact.sock"
"""Name of the socket in the job's folder."""

_LOOK = 0.2
_PAUSE = 0.2
_WAITING_LINES = 1000
_LONGEST = 1 << 20


class _ConnectedConsole:
    """A console that is connected."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def show(self, text: str) -> None:
        """Show a line; it is dropped when the console does not read."""
        with contextlib.suppress(OSError):
            self.sock.send(f"{text}\n".encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class TypedLine:
    """A line and the console that has typed it; without text: that console types no more."""

    def __init__(self, text: str | None, console: _ConnectedConsole) -> None:
        self.text = text or ""
        self.last = text is None
        self.console = console

    def answer(self, text: str) -> None:
        """Show a line at the console that has typed this one."""
        self.console.show(text)


class Console:
    """Iterate over the typed lines; the iteration ends when the job is `over`, without another line."""

    def __init__(self, greeting: str, over: Callable[[], bool]) -> None:
        self._greeting = greeting
        self._over = over
        self._lines: queue.Queue[TypedLine] = queue.Queue(_WAITING_LINES)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)  # of a predecessor
        self._listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # other users may not type
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
                line.console.sock.close()
            else:
                yield line

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:  # no descriptor is left, most likely
                time.sleep(_PAUSE)
                continue
            console = _ConnectedConsole(sock)
            console.show(self._greeting)
            threading.Thread(target=self._listen, args=(console,), name="fission-typing", daemon=True).start()

    def _listen(self, console: _ConnectedConsole) -> None:
        with contextlib.suppress(OSError), console.sock.makefile("rb") as file:
            while line := file.readline(_LONGEST):
                self._lines.put(TypedLine(line.decode("utf-8", "replace").rstrip("\r\n"), console))
        self._lines.put(TypedLine(None, console))

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

    With a certificate in the folder `identity`, consoles on other machines may connect as well: through TLS, at an address of
    this `machine`.
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
        listener = ConsoleTlsListener(machine, identity, f"/proc/self/fd/{here}/{SOCKET}", log)
        log(20, f"from other machines: {command} --at {listener.address}")
    print(f"{'more consoles' if opened else 'to type lines'}: {command}", flush=True)  # noqa: T201 - for the user
    return console
