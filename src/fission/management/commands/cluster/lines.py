"""`fission_interactive.py FOLDER`: the console of an InteractiveJob, and what `interact` does with a socket."""

import contextlib
import os
import select
import socket
import ssl
import sys
from pathlib import Path

from fission.errors import RunError, UserError
from fission.management.console.guard import guard
from fission.runtime.job.console import SOCKET
from fission.runtime.job.console_tls import NO_MORE
from fission.security import Identity, Role, client_context, peer_role, require_address, require_role

__all__ = ["connect", "dial", "main", "talk"]

TIMEOUT = 10.0
"""Seconds within which another machine has to answer."""

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


def dial(address: str, identity: Identity) -> tuple[socket.socket, bytes]:
    """Connect to the console of a job on another machine, HOST:PORT; return it with what it has said first.

    Raises RunError, PeerError, CertificateError.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal():
        raise UserError(
            "no address", where="--at", expected="HOST:PORT, as the job has told it", found=repr(address)
        )
    context = client_context(
        identity, check_host=False
    )  # the client has no fixed address; its role is checked below
    try:
        sock = context.wrap_socket(socket.create_connection((host, int(port)), timeout=TIMEOUT))
        greeting = sock.recv(1 << 16)  # only now it is known whether our certificate will do
        if not greeting:
            raise ConnectionRefusedError("it has closed the connection")
    except OSError as error:
        raise RunError(
            "nobody lets us type there", where=address, found=str(error), hint="Does the network still run?"
        ) from error
    peer = peer_role(sock)
    require_role(peer, Role.CLIENT, Role.NODE)
    if peer.role is Role.NODE:
        require_address(peer, host)
    sock.settimeout(None)
    return sock, greeting


def talk(sock: socket.socket, greeting: bytes = b"") -> int:
    """Send what is typed, show what is answered, until one side has no more to say; return 0."""
    terminal = sys.stdin.isatty()
    if greeting:
        _show(greeting + (_PROMPT if terminal else b""))
    typing = True
    with sock, contextlib.suppress(KeyboardInterrupt):
        while True:
            ready, _, _ = select.select([sock, sys.stdin] if typing else [sock], [], [])
            if sock in ready:
                data = _receive(sock)
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
                    _say_no_more(sock)
    return 0


def _receive(sock: socket.socket) -> bytes:
    """Read what is there, b"" at the end; what TLS has taken out of the socket already is not seen by `select`."""
    try:
        data = sock.recv(1 << 16)
        while isinstance(sock, ssl.SSLSocket) and sock.pending():
            data += sock.recv(1 << 16)
    except ConnectionError:
        return b""
    return data


def _say_no_more(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended just now
        if isinstance(sock, ssl.SSLSocket):
            sock.sendall(NO_MORE)
        else:
            sock.shutdown(socket.SHUT_WR)


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
