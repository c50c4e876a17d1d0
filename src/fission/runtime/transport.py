"""Addresses and sockets: Unix sockets on one machine, TCP between machines; the same frames on both.

An address is a text: `unix:/path/of/socket` or `tcp:host:port` (port 0 when listening: the system chooses).
"""

import contextlib
import os
import socket

from fission.errors import RunError

BUFFER_BYTES = 1 << 20
"""Socket buffer asked for, in bytes: large enough that a batch of blocks leaves in one system call."""


def listen(address: str) -> tuple[socket.socket, str]:
    """Open a listening, non-blocking socket; return it with the address that others connect to."""
    kind, place = _split(address)
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        sock.bind(place)
        actual = address
    else:
        host, port = _host_port(place)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        actual = f"tcp:{host}:{sock.getsockname()[1]}"
    sock.listen(64)
    sock.setblocking(False)
    return sock, actual


def connect(address: str) -> socket.socket:
    """Begin a connection and return its non-blocking socket; it may not be established yet.

    Raises OSError when it is refused at once; a later refusal shows as an error event of the socket.
    """
    kind, place = _split(address)
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        target: str | tuple[str, int] = place
    else:
        host, port = _host_port(place)
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        target = (host, port)
    sock.setblocking(False)
    try:
        sock.connect(target)
    except BlockingIOError:
        pass  # TCP: under way
    except OSError:
        sock.close()
        raise
    tune(sock)
    return sock


def tune(sock: socket.socket) -> None:
    """Set what every data connection wants: large buffers, and no waiting for more on TCP."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _split(address: str) -> tuple[str, str]:
    kind, _, place = address.partition(":")
    if kind not in ("unix", "tcp") or not place:
        raise RunError(f"{address!r} is no address of a transport", expected="unix:/path or tcp:host:port")
    return kind, place


def _host_port(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        raise RunError(f"{place!r} is no TCP address", expected="host:port")
    return host.strip("[]"), int(port)
