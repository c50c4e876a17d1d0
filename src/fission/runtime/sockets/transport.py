"""Sockets that listen and sockets that connect: Unix sockets on one machine, TCP between machines.

What an address looks like says `endpoints`. With TLS it is the same TCP; see `secure`.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from fission.errors import RunError
from fission.runtime.sockets.endpoints import Endpoint, parse

BUFFER_BYTES = 1 << 20
"""Socket buffer asked for, in bytes: large enough that a batch of blocks leaves in one system call."""

BACKLOG = 512
"""Connections that may wait to be accepted: all senders of a large join come at once."""

_TCP = (
    (socket.TCP_NODELAY, 1),
    # A machine that has gone is noticed after 5 s: a probe after 2 s of silence, then one each second. Not with
    # TCP_USER_TIMEOUT, which also breaks the connection to a receiver that is healthy and does not read for long.
    (socket.TCP_KEEPIDLE, 2),
    (socket.TCP_KEEPINTVL, 1),
    (socket.TCP_KEEPCNT, 3),
)

_INFO = struct.Struct("=BxBB52xI")
"""Of the kernel's `struct tcp_info`: `tcpi_state`, `tcpi_retransmits`, `tcpi_probes` and `tcpi_last_ack_recv` (ms)."""
_SYN_SENT, _CLOSE = 2, 7
"""Values of `tcpi_state`: not established yet; over without a word of the other side, or with an RST."""
_TRIES, _UNHEARD_MS = 4, 4000
"""The fourth repetition is sent 3 s after the first try at the earliest; the next would follow after 6 s."""


class ListeningSocket(NamedTuple):
    """A listening, non-blocking socket, and where it listens: with the port that the system has chosen."""

    sock: socket.socket
    endpoint: Endpoint


def listen(address: str) -> tuple[ListeningSocket, ...]:
    """Listen at every endpoint of an address. Raises RunError when that fails at one of them."""
    listeners: list[ListeningSocket] = []
    try:
        for endpoint in parse(address):
            listeners.append(_listen(endpoint))  # noqa: PERF401 - those that are open must be closed again
    except RunError:
        for listener in listeners:
            listener.sock.close()
        raise
    return tuple(listeners)


def address_of(listeners: Sequence[ListeningSocket]) -> str:
    """The address that others connect to."""
    return " ".join(str(listener.endpoint) for listener in listeners)


def connect(endpoint: Endpoint) -> socket.socket:
    """Begin a connection and return its non-blocking socket; it may not be established yet.

    Raises OSError when it is refused at once; a later refusal shows as an error event of the socket.
    """
    sock = socket.socket(_family(endpoint), socket.SOCK_STREAM)
    try:
        tune(sock)
        sock.connect(endpoint.path if endpoint.local else (endpoint.host, endpoint.port))
    except BlockingIOError:
        pass  # TCP: under way
    except OSError:
        sock.close()
        raise
    return sock


def tune(sock: socket.socket) -> None:
    """Set what every data connection wants: large buffers; on TCP no waiting for more, and a dead peer is noticed."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _TCP:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def unheard(sock: socket.socket) -> bool:
    """Whether what was sent over TCP has not been acknowledged for about 5 s.

    There are no keepalive probes while data is under way, and the kernel alone would go on trying for minutes, ever
    more seldom. A receiver that does not read still acknowledges.
    """
    _, repetitions, quiet = _tcp_info(sock)
    return repetitions >= _TRIES and quiet >= _UNHEARD_MS


def answers(sock: socket.socket) -> bool:
    """Whether the machine at the other end has accepted the connection, and acknowledges what is sent.

    Its process may be stopped: the kernel accepts and acknowledges without it.
    """
    state, repetitions, quiet = _tcp_info(sock)
    return state not in (_SYN_SENT, _CLOSE) and not (repetitions >= _TRIES and quiet >= _UNHEARD_MS)


def timed_out(sock: socket.socket) -> bool:
    """Whether an established connection is over because the machine at the other end has not answered."""
    state, _, quiet = _tcp_info(sock)
    return state == _CLOSE and quiet >= _UNHEARD_MS


def _tcp_info(sock: socket.socket) -> tuple[int, int, int]:
    """State, unanswered repetitions, and ms since the last acknowledgement; a Unix socket is always answered."""
    if sock.family == socket.AF_UNIX:
        return 1, 0, 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return _CLOSE, _TRIES, _UNHEARD_MS
    state, retransmits, probes, quiet = _INFO.unpack(info)
    return state, retransmits + probes, quiet


def _listen(endpoint: Endpoint) -> ListeningSocket:
    sock = socket.socket(_family(endpoint), socket.SOCK_STREAM)
    try:
        if endpoint.local:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(endpoint.path)
            sock.bind(endpoint.path)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((endpoint.host, endpoint.port))
            endpoint = endpoint._replace(port=sock.getsockname()[1])
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise RunError(
            "the job cannot listen for its senders",
            where=str(endpoint),
            found=error.strerror or str(error),
            hint="" if endpoint.local else "Is this an address of this machine?",
        ) from error
    sock.setblocking(False)
    return ListeningSocket(sock, endpoint)


def _family(endpoint: Endpoint) -> socket.AddressFamily:
    if endpoint.local:
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
