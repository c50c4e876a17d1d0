"""Console of an InteractiveJob: `fission_interactive.py FOLDER`, and the connection behind `interact`."""

import contextlib
import os
import select
import socket
import ssl
import sys
from pathlib import Path

from fission.errors import RunError, UserError
from fission.management.console.exit_codes import exit_code_of
from fission.runtime.job.console import SOCKET
from fission.runtime.job.console_tls import NO_MORE
from fission.security import Identity, Role, client_context, peer_role, require_address, require_role

__all__ = ["connect", "dial", "main", "talk"]

TIMEOUT = 10.0
"""Seconds for the answer of another machine."""

_PROMPT = b"> "
_REJECTED = b"not sent: "
"""Begin of the answer to a line that the job rejects, see `InteractiveJob.run`."""


def connect(folder: Path) -> socket.socket | None:
    """Connect to the console of the job with this working directory; None if there is none."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            sock.connect(f"/proc/self/fd/{handle}/{SOCKET}")  # the path of a socket is limited to 108 bytes
        finally:
            os.close(handle)
    except OSError:
        sock.close()
        return None
    return sock


def dial(address: str, identity: Identity) -> tuple[socket.socket, bytes]:
    """Connect to the console of a job on another machine, HOST:PORT; return the socket and the greeting.

    Raises RunError, PeerError, CertificateError.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal():
        raise UserError(
            "invalid address",
            where="--at",
            expected="HOST:PORT, from the log of the run",
            found=repr(address),
        )
    context = client_context(
        identity, check_host=False
    )  # a client has no fixed address; its role is checked below
    try:
        sock = context.wrap_socket(socket.create_connection((host, int(port)), timeout=TIMEOUT))
        greeting = sock.recv(1 << 16)  # the first read shows whether the peer accepts our certificate
        if not greeting:
            raise ConnectionRefusedError("the job closed the connection")
    except OSError as error:
        raise RunError(
            "cannot connect to the job", where=address, found=str(error), hint="Is the network running?"
        ) from error
    peer = peer_role(sock)
    require_role(peer, Role.CLIENT, Role.NODE)
    if peer.role is Role.NODE:
        require_address(peer, host)
    sock.settimeout(None)
    return sock, greeting


def talk(sock: socket.socket, greeting: bytes = b"") -> int:
    """Send what is typed, show what is answered, until one side closes; return 1 if the job rejected a line."""
    terminal = sys.stdin.isatty()
    if greeting:
        _show(greeting + (_PROMPT if terminal else b""))
    typing = True
    rejected = False
    begun = b""
    with sock, contextlib.suppress(KeyboardInterrupt):
        while True:
            ready, _, _ = select.select([sock, sys.stdin] if typing else [sock], [], [])
            if sock in ready:
                data = _receive(sock)
                if not data:
                    if typing:
                        _show(b"the job has ended\n")
                    break
                begun += data
                rejected = rejected or any(line.startswith(_REJECTED) for line in begun.splitlines())
                begun = begun.rpartition(b"\n")[2]
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
                    _end_input(sock)
    return int(rejected and not terminal)


def _receive(sock: socket.socket) -> bytes:
    """Read the available bytes, b"" at the end. Bytes that TLS has buffered are invisible to `select`, so they are read, too."""
    try:
        data = sock.recv(1 << 16)
        while isinstance(sock, ssl.SSLSocket) and sock.pending():
            data += sock.recv(1 << 16)
    except ConnectionError:
        return b""
    return data


def _end_input(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the job may have ended meanwhile
        if isinstance(sock, ssl.SSLSocket):
            sock.sendall(NO_MORE)
        else:
            sock.shutdown(socket.SHUT_WR)


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def main() -> None:
    """Entry point of `fission_interactive.py`; its argument is the working directory of the job."""
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(
            "usage: fission_interactive.py FOLDER\n\nSend typed lines to the InteractiveJob with the working directory FOLDER."
        )
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)

    def work() -> int:
        sock = connect(Path(sys.argv[1]))
        if sock is None:
            raise RunError("no InteractiveJob runs in this folder", where=sys.argv[1])
        return talk(sock)

    sys.exit(exit_code_of(work))


if __name__ == "__main__":
    main()
