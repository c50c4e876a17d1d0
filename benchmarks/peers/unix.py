"""Unix sockets as the bare loops use them: listen, connect, send whole buffers, receive whole buffers."""

import socket
import time
from pathlib import Path

BUFFER = 1 << 20
"""Size asked for the kernel's socket buffers; the kernel gives at most its own limit."""
CONNECT_SECONDS = 10.0


def accept(folder: Path, pipe: int) -> socket.socket:
    """Listen for the one sender of a pipe and give the connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / f"pipe-{pipe}.sock"))
        listener.listen(1)
        connection, _ = listener.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return connection


def connect(folder: Path, pipe: int) -> socket.socket:
    """Connect to the receiver of a pipe, which may not be there yet; OSError after 10 s."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        try:
            connection.connect(str(folder / f"pipe-{pipe}.sock"))
        except OSError:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.001)
        else:
            return connection


def receive_exactly(connection: socket.socket, view: memoryview) -> bool:
    """Fill the view; False when the stream ended before its first byte, EOFError when it ended inside."""
    got = 0
    while got < len(view):
        count = connection.recv_into(view[got:], 0, socket.MSG_WAITALL)
        if not count:
            if got:
                raise EOFError(f"stream ended after {got} of {len(view)} bytes")
            return False
        got += count
    return True


def receive_body(connection: socket.socket, view: memoryview) -> None:
    """Fill the view; EOFError when the stream ended before."""
    if not receive_exactly(connection, view):
        raise EOFError("stream ended after a header")


def send_two(connection: socket.socket, head: bytes, body: memoryview) -> None:
    """Send a header and a large buffer in one call, without joining them; then what the kernel left."""
    sent = connection.sendmsg([head, body])
    if sent < len(head):
        connection.sendall(head[sent:])
        sent = len(head)
    if sent < len(head) + len(body):
        connection.sendall(body[sent - len(head) :])
