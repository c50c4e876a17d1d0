"""Lets consoles on other machines in: TLS outside, the Unix socket of the job's `Console` inside.

Whoever connects must show a certificate for a client of this cluster; there are at most a few at once. What comes is
passed on as it is. A TLS stream has no half end, so a byte 04 says that no more will be typed.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fission.errors import FissionError
from fission.security import Role, find_identity, peer_role, require_role, server_context

__all__ = ["NO_MORE", "ConsoleTlsListener"]

NO_MORE = b"\x04"
"""What ends the lines of a console that types through TLS."""

HANDSHAKE = 10.0
"""Seconds that a stranger has to become a guest."""

GUESTS = 16

_PAUSE = 0.2
"""Seconds without accepting when the system has no descriptor left."""
_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A guest whose machine has vanished gives his place back after a minute."""


class ConsoleTlsListener:
    """Listens at a free port of `host`; `address` says which. `log` gets a line for everybody who is turned away."""

    def __init__(self, host: str, identity: str, inside: str, log: Callable[[int, str], None]) -> None:
        self._context = server_context(find_identity(Path(identity)))
        self._inside = inside
        self._log = log
        self._places = threading.Semaphore(GUESTS)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        threading.Thread(target=self._accept, name="fission-door", daemon=True).start()

    def _accept(self) -> None:
        while True:
            self._places.acquire()
            try:
                sock, address = self._listener.accept()
            except OSError:  # no descriptor is left, most likely
                self._places.release()
                time.sleep(_PAUSE)
                continue
            name = f"fission-guest-{address[0]}"
            guest = threading.Thread(target=self._serve, args=(sock, address[0]), name=name, daemon=True)
            try:
                guest.start()
            except RuntimeError:  # no thread is left
                sock.close()
                self._places.release()
                time.sleep(_PAUSE)

    def _serve(self, sock: socket.socket, host: str) -> None:
        try:
            sock.settimeout(HANDSHAKE)
            for level, option, value in _ALIVE:
                sock.setsockopt(level, option, value)
            with self._context.wrap_socket(sock, server_side=True) as guest:
                require_role(peer_role(guest), Role.CLIENT)
                guest.settimeout(None)
                with socket.socket(socket.AF_UNIX) as inside:
                    inside.connect(self._inside)
                    _relay(guest, inside)
        except (OSError, FissionError) as error:
            self._log(30, f"somebody at {host} may not type: {error}")
        finally:
            sock.close()
            self._places.release()


def _relay(guest: ssl.SSLSocket, inside: socket.socket) -> None:
    """Pass on what both say until the job has no more to say, or the guest has gone."""
    typing = True
    while True:
        ready, _, _ = select.select([guest, inside] if typing else [inside], [], [])
        if inside in ready:
            data = inside.recv(1 << 16)
            if not data:
                return
            guest.sendall(data)
        if guest in ready:
            data = guest.recv(1 << 16)
            while guest.pending():
                data += guest.recv(1 << 16)
            lines, no_more, _ = data.partition(NO_MORE)
            inside.sendall(lines)
            if no_more or not data:
                typing = False
                inside.shutdown(socket.SHUT_WR)
