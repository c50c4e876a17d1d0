"""Carries TLS records between OpenSSL and a non-blocking socket through two memory buffers.

`ssl.SSLSocket` does not fit: it makes a system call for each record of 16 KiB when it writes and two when it reads, it
cannot begin on a socket that is still connecting, and its errors are not those of a plain socket.
"""

import socket
import ssl

__all__ = ["RECORD", "Pump"]

RECORD = 16384
"""The most that TLS puts into one record, in bytes."""


class Pump:
    """Carries encrypted bytes between `tls` and the socket; the owner calls `tls` itself.

    `host` is the dialled host on the dialling side, None on the accepting side.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, *, host: str | None) -> None:
        self.sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._rest: bytes | memoryview = b""
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=host is None, server_hostname=host
        )

    @property
    def arrived(self) -> int:
        """Number of encrypted bytes that were received and not decrypted yet."""
        return self._incoming.pending

    @property
    def waiting(self) -> bool:
        """True while encrypted bytes wait for the socket to become writable."""
        return bool(self._rest) or self._outgoing.pending > 0

    def flush(self) -> bool:
        """Send pending bytes; return True when none are left. Raises OSError."""
        data = self._rest or self._outgoing.read()
        while data:
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                self._rest = data
                return False
            data = memoryview(data)[sent:] if sent < len(data) else self._outgoing.read()
        self._rest = b""
        return True

    def feed(self, data: bytes | memoryview) -> None:
        """Pass on encrypted bytes that were received."""
        self._incoming.write(data)
