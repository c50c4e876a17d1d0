"""`fission_interactive.py FOLDER`: the console of an InteractiveJob, and what `interact` does with a socket."""

import contextlib
import os
import select
import socket
import sys
from pathlib import Path

from fission.errors import RunError
from fission.management._guard import guard
from fission.runtime.console import SOCKET

__all__ = ["connect", "main", "talk"]

_PROMPT = b"> "


def connect(folder: Path) -> socket.socket | None:
    """Connect to the console of the job that works in this folder; None when there is none."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            sock.connect(f"/proc/self/fd/{handle}/{SOCKET}")  # the path of a socket may have 108 bytes only
        finally:
            os.close(handle)
    except OSError:
        sock.close()
        return None
    return sock


def talk(sock: socket.socket) -> int:
    """Send what is typed, show what is answered, until one side has no more to say; return 0."""
    terminal = sys.stdin.isatty()
    typing = True
    with sock, contextlib.suppress(KeyboardInterrupt):
        while True:
            ready, _, _ = select.select([sock, sys.stdin] if typing else [sock], [], [])
            if sock in ready:
                try:
                    data = sock.recv(1 << 16)
                except ConnectionError:
                    data = b""
                if not data:
                    if typing:
                        _show(b"the job has ended\n")
                    return 0
                _show(data + (_PROMPT if terminal and typing else b""))
            if sys.stdin in ready:
                line = os.read(sys.stdin.fileno(), 1 << 16)
                if line:
                    with contextlib.suppress(ConnectionError):
                        sock.sendall(line)
                    if terminal:
                        _show(_PROMPT)
                else:
                    typing = False
                    sock.shutdown(socket.SHUT_WR)
    return 0


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def main() -> None:
    """Entry point of `fission_interactive.py`: one argument, the folder in which the job works."""
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(
            "usage: fission_interactive.py FOLDER\n\nType lines for the InteractiveJob that works in FOLDER."
        )
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)

    def work() -> int:
        sock = connect(Path(sys.argv[1]))
        if sock is None:
            raise RunError("nobody waits for lines there", where=sys.argv[1])
        return talk(sock)

    sys.exit(guard(work))


if __name__ == "__main__":
    main()
