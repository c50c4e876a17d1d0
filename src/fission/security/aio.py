"""Runs a TLS handshake in an asyncio event loop."""

import asyncio

from fission.security.channel import TlsChannel
from fission.security.handshake import Step, TlsHandshake

__all__ = ["complete"]


async def complete(handshake: TlsHandshake) -> TlsChannel:
    """Finish a handshake whose deadline is in the time of the running loop; return its channel.

    Raises PeerError when it fails or is too slow. Then, and when the task is cancelled, the socket is closed.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            step = handshake.step(loop.time())
            if step is Step.DONE:
                return handshake.channel()
            if handshake.error is not None:
                raise handshake.error
            await _ready(loop, handshake, step)
    except BaseException:
        handshake.close()
        raise


async def _ready(loop: asyncio.AbstractEventLoop, handshake: TlsHandshake, step: Step) -> None:
    """Wait until the socket is ready for the step, or the deadline has come."""
    done = asyncio.Event()
    fd = handshake.fileno()
    add, remove = (
        (loop.add_writer, loop.remove_writer)
        if step is Step.WANTS_WRITE
        else (loop.add_reader, loop.remove_reader)
    )
    add(fd, done.set)
    try:
        async with asyncio.timeout_at(handshake.deadline):
            await done.wait()
    except TimeoutError:
        pass  # the next step says so
    finally:
        remove(fd)
