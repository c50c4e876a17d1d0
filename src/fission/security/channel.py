"""A TLS connection with the interface of a non-blocking socket, for the data plane."""

import contextlib
import errno
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, cast

from fission.errors import LocalProtocolError
from fission.security._pump import RECORD, Pump
from fission.security.errors import PeerError
from fission.security.explain import explain
from fission.security.roles import Peer

__all__ = ["TlsChannel"]

Buffer: TypeAlias = bytes | bytearray | memoryview

_READ = 4 * (RECORD + 256)
"""Encrypted bytes received at a time."""
_CHUNK = 8 * RECORD
"""Encrypted at a time: enough for few system calls, little enough to stay in the processor's cache."""
_MOST = 1 << 20
"""About the most that one call sends, so that other connections are served too."""


class TlsChannel:
    """What `TlsHandshake.channel()` returns: bytes in and out, encrypted on the way.

    It is used like a plain non-blocking socket, with three differences:

    - when a read has filled its buffer, ask `pending()`: bytes that TLS holds do not make the socket readable
      again, so read on instead of waiting while it is not 0;
    - after a `send` that sent less than it was given, or raised BlockingIOError, the next one must begin with
      the rest: it may be encrypted already;
    - while `wants_write` is set, wait until the socket is writable and `flush`, also with nothing to send:
      TLS itself has something to say (rare; who has bytes to send waits anyway, and `send` flushes too).

    When the other side refuses our certificate, that shows with the first read (TLS 1.3): `error` has the
    line for the log. Buffers are of bytes. Not for several threads at once.
    """

    def __init__(self, pump: Pump, peer: Peer, where: str) -> None:
        self._pump = pump
        self._tls = pump.tls
        # typeshed knows only the form without a buffer
        self._read = cast("Callable[[int, memoryview], int]", pump.tls.read)
        self._where = where
        self._space = memoryview(bytearray(_READ))
        self._owed = 0
        self._ended = False
        self.peer = peer
        self.error: PeerError | None = None

    def fileno(self) -> int:
        """Return the socket's file descriptor, to poll."""
        return self._pump.sock.fileno()

    def pending(self) -> int:
        """Return about how many bytes (1 for an end) can be read although the socket is not readable."""
        return self._tls.pending() + self._pump.arrived or int(self._ended or self.error is not None)

    @property
    def wants_write(self) -> bool:
        """True while TLS has bytes for the socket: wait until it is writable, then `flush` or `send`."""
        return self._pump.waiting

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Receive until the buffer is full or nothing is left; return the count of bytes, 0 at the end.

        A count below the buffer's size means that nothing is left: wait until the socket is readable, as long
        as `pending()` is 0. Raises BlockingIOError when nothing has arrived, OSError after a failure.
        """
        view = memoryview(buffer)
        done = self._receive(view)
        if done or not view:
            return done
        self._raise_failure()
        if self._ended:
            return 0
        raise BlockingIOError(errno.EAGAIN, "nothing has arrived")

    def send(self, buffer: Buffer) -> int:
        """Send from the beginning of the buffer; return how much has left, at most about 1 MiB.

        Raises BlockingIOError when the socket takes nothing (see above), OSError when the connection failed.
        """
        return self._write(memoryview(buffer)) if len(buffer) <= _CHUNK else self.sendmsg((buffer,))

    def sendmsg(self, buffers: Sequence[Buffer]) -> int:
        """Like `send`, with the bytes of several buffers one after another."""
        done = 0
        for chunk in _chunks(buffers):
            try:
                count = self._write(chunk)
            except OSError:
                if not done:
                    raise
                break  # the next call raises it again
            done += count
            if count < len(chunk) or done >= _MOST:
                break
        return done

    def flush(self) -> bool:
        """Send what TLS has for the socket; True when all has left. Raises OSError."""
        try:
            return self._pump.flush()
        except OSError as error:
            self._fail(error)
            raise

    def close(self) -> None:
        """Send a close alert if the socket takes it, and close. Unsent bytes are dropped."""
        if self.error is None:
            with contextlib.suppress(OSError):
                self._tls.unwrap()  # never completes: the peer's close alert is not awaited
            with contextlib.suppress(OSError):
                self._pump.flush()
        self._pump.sock.close()

    def _receive(self, view: memoryview) -> int:
        done, size, more = 0, len(view), True
        pump, tls = self._pump, self._tls
        while done < size and not self._ended and self.error is None:
            try:
                if pump.arrived or tls.pending():
                    count = self._read(size - done, view[done:])
                    done += count
                elif more:
                    count = pump.sock.recv_into(self._space)
                    pump.feed(self._space[:count])
                    more = count == _READ
                else:
                    break
                self._ended = count == 0
            except ssl.SSLWantReadError:
                continue  # the rest of a record has not arrived
            except BlockingIOError:
                break
            except OSError as error:
                self._fail(error)
        if self._pump.waiting:
            self._answer()
        return done

    def _answer(self) -> None:
        """Send what reading has caused: a key update, or the alert of a failure."""
        with contextlib.suppress(OSError):  # the next read or write raises it again
            self._pump.flush()

    def _write(self, view: memoryview) -> int:
        self._raise_failure()
        try:
            if not self._owed:
                self._encrypt(view)
            elif self._owed > len(view):
                raise LocalProtocolError(
                    "after a send that was cut short its rest must follow",
                    where=self._where,
                    expected=f"{self._owed} bytes or more",
                    found=str(len(view)),
                )
            if not self._pump.flush():
                raise BlockingIOError(errno.EAGAIN, "the socket takes no more")
        except BlockingIOError:
            raise
        except OSError as error:
            self._fail(error)
            raise
        done, self._owed = self._owed, 0
        return done

    def _encrypt(self, view: memoryview) -> None:
        write, size, done = self._tls.write, len(view), 0
        while done < size:
            done += write(view[done : done + RECORD])
        self._owed = size

    def _fail(self, error: OSError) -> None:
        self.error = explain(error, self._where)

    def _raise_failure(self) -> None:
        if self.error is not None:
            raise ConnectionAbortedError(errno.ECONNABORTED, str(self.error))


def _chunks(buffers: Sequence[Buffer]) -> Iterator[memoryview]:
    """Cut and join buffers into pieces to be encrypted at once: every write makes a record of its own."""
    parts: list[Buffer] = []
    room = _CHUNK
    for buffer in buffers:
        rest = buffer
        while len(rest) >= room:
            view = memoryview(rest)
            parts.append(view[:room])
            yield _joined(parts)
            rest, parts, room = view[room:], [], _CHUNK
        parts.append(rest)
        room -= len(rest)
    if room < _CHUNK:
        yield _joined(parts)


def _joined(parts: list[Buffer]) -> memoryview:
    return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
