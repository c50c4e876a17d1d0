"""A device waits for its client: shows a code, lets one client confirm it, and installs what it sends."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fission.errors import FissionError
from fission.pairing.codes import TRIES, CodeBook
from fission.pairing.errors import PairingError, WrongCodeError
from fission.pairing.frames import LARGEST_SEALED, Frame, FrameReader, Kind
from fission.pairing.handshake import DevicePairing, Refusal, State, refusal

__all__ = ["DeviceServer"]

_CONNECTIONS: Final = 8
_SECONDS: Final = 20.0
"""Time of one connection, which also covers the making of the certificate on a slow client."""

Install = Callable[[Mapping[str, str]], Mapping[str, object]]
"""Install the files of a certificate (name to text) and return the result for the client. Raises FissionError, OSError."""


class DeviceServer:
    """Pairs a device at a listening socket. `serve` ends with the peer's address, or raises PairingError.

    `show` is called with each new code and its number, from 1. Each connection may send only small frames until it has
    confirmed the code.
    """

    def __init__(
        self, about: Mapping[str, str | int], install: Install, show: Callable[[str, int], None]
    ) -> None:
        self._about = about
        self._install = install
        self._show = show
        self._open: dict[asyncio.Task[Any], _Spent] = {}

    async def serve(self, listener: socket.socket) -> str:
        """Wait until a client has been paired; the socket, which is bound, is closed afterwards. Raises PairingError."""
        loop = asyncio.get_running_loop()
        self._result: asyncio.Future[str] = loop.create_future()
        server = await asyncio.start_server(self._accept, sock=listener, limit=4096, backlog=_CONNECTIONS)
        try:
            self._codes = CodeBook(loop.time())
            self._show(self._codes.code, self._codes.number)
            while True:
                remaining = self._codes.expires - loop.time()
                done, _ = await asyncio.wait([self._result], timeout=max(0.0, remaining))
                if done:
                    return self._result.result()
                if loop.time() >= self._codes.expires:
                    raise PairingError(
                        "no client has used the code in time", hint="Start again: fission-node --pair"
                    )
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        if len(self._open) >= _CONNECTIONS:
            # like at the port of a node: one more connection displaces the oldest that has not confirmed the code
            next(one for one, spent in self._open.items() if not spent.code).cancel()
        spent = self._open[task] = _Spent()
        try:
            with contextlib.suppress(PairingError, OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_SECONDS):
                    await self._pair(reader, writer, spent)
            if spent.code:
                self._next_code()
        except asyncio.CancelledError:
            pass  # the pairing is over
        finally:
            del self._open[task]
            writer.close()

    async def _pair(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spent: "_Spent"
    ) -> None:
        loop = asyncio.get_running_loop()
        number = self._codes.number
        side = DevicePairing(self._codes.code, self._about)
        frames = FrameReader()
        while side.state is not State.PAIRED:
            frame = await _next(frames, reader)
            # between these checks and the answer nothing else runs: each code gets one guess
            if not self._codes.is_good(loop.time()) or number != self._codes.number:
                writer.write(refusal(Refusal.EXPIRED))
                return
            if frame.kind is Kind.CONFIRM and side.state is State.CONFIRM:
                spent.code = self._codes.spend(number, loop.time())
            try:
                writer.write(side.receive(frame))
            except WrongCodeError:
                writer.write(refusal(Refusal.CODE))
                return
        frames.largest = LARGEST_SEALED
        self._take(side, await _next(frames, reader), writer)
        with contextlib.suppress(OSError):
            await writer.drain()

    def _take(self, side: DevicePairing, frame: Frame, writer: asyncio.StreamWriter) -> None:
        """Install the certificate from the paired client, and say so."""
        files = side.open(frame)
        try:
            result = self._install({str(name): str(text) for name, text in files.items()})
        except (FissionError, OSError) as error:
            writer.write(side.seal({"error": str(error)[:300]}))
            self._end(error)
            return
        writer.write(side.seal(result))
        if not self._result.done():
            self._result.set_result(str(writer.get_extra_info("peername")[0]))

    def _next_code(self) -> None:
        """Show another code after one that was spent in vain."""
        if self._result.done():
            return
        if self._codes.renew(asyncio.get_running_loop().time()):
            self._show(self._codes.code, self._codes.number)
        else:
            self._end(
                PairingError(f"{TRIES} codes were used in vain", hint="Start again: fission-node --pair")
            )

    def _end(self, error: BaseException) -> None:
        if not self._result.done():
            self._result.set_exception(error)


@dataclass
class _Spent:
    """Whether a connection has used up the code."""

    code: bool = False


async def _next(frames: FrameReader, reader: asyncio.StreamReader) -> Frame:
    while True:
        frame = frames.feed(await reader.readexactly(frames.wanted))
        if frame is not None:
            return frame
