"""The emulator of a pipe: one value through its four stages."""

import sys
from collections import deque
from io import BytesIO
from typing import Any

from fission.channel.mailbox import Mailbox
from fission.channel.wire.frames import Payload
from fission.core.head import Head
from fission.core.pipes import BasePipe
from fission.errors import PipeError, UserError

__all__ = ["PipeEmulator"]

_SHOWN = 200


class PipeEmulator:
    """Sends values through the four stages of a pipe.

    `emulator(value)` prints each stage and returns `(packed, wire, read, unpacked)`: what `pack` made of the value, the
    bytes that `write` made of that, what `read` returned, and what `unpack` made of that.

    `put` sends one value and `get` receives the next one, so several blocks can be on the way.
    """

    def __init__(self, pipe: BasePipe) -> None:
        self.pipe = pipe
        self._optional = Mailbox.of(pipe) if pipe.ASYNC else None
        self._blocks: deque[bytes] = deque()

    def put(self, obj: Any) -> None:
        """Send a value: `pack` and `write`. What the pipe's own methods raise comes out."""
        file = BytesIO()
        self.pipe.write(file, self.pipe.pack(obj))
        if self._optional is not None:
            self._optional.put(file.getvalue())
        else:
            self._blocks.append(file.getvalue())

    def get(self) -> Any:
        """Receive the next value: `read` and `unpack`.

        An optional pipe returns what `run` would get: the next value, the stored one or the default. Raises UserError when
        no block is on the way through another pipe, PipeError as a call does.
        """
        if self._optional is not None:
            wire: Payload | None = self._optional.take()
            if wire is None:
                return self.pipe.unpack(getattr(self.pipe, "OPTIONAL_DEFAULT", None))
        elif self._blocks:
            wire = self._blocks.popleft()
        else:
            raise UserError(
                "there is no block to get", where=f"emulator of {self.pipe}", hint="Call put(value) first"
            )
        block = b"".join(wire if isinstance(wire, tuple) else (wire,))
        return self.pipe.unpack(self._read(BytesIO(block), len(block)))

    def kill(self) -> None:
        """Drop the blocks that are on the way, and the stored value of an optional pipe."""
        self._blocks.clear()
        self._optional = Mailbox.of(self.pipe) if self.pipe.ASYNC else None

    def __call__(self, obj: Any, *, head: Head | int | None = None) -> tuple[Any, bytes, Any, Any]:
        """Send a value through the pipe. A `head` (an int: of one byte) stands before the block on the wire.

        What the pipe's own methods raise comes out. Raises PipeError when `read` does not take exactly what
        `write` has written.
        """
        if head is not None and not isinstance(head, Head):
            head = Head(head)
        pipe, prefix = self.pipe, b"" if head is None else head.to_bytes()
        _say(str(pipe))
        if head is not None:
            _say(f"  head      {' '.join(format(byte, '08b') for byte in prefix)}")
        packed = pipe.pack(obj)
        _say(f"  packed    {_shown(packed)}")
        file = BytesIO()
        file.write(prefix)
        pipe.write(file, packed)
        wire = file.getvalue()
        _say(f"  wire      {len(wire)} bytes: {_shown(wire)}")
        file = BytesIO(wire)
        file.seek(len(prefix))
        read = self._read(file, len(wire) - len(prefix))
        _say(f"  read      {_shown(read)}")
        unpacked = pipe.unpack(read)
        _say(f"  unpacked  {_shown(unpacked)}")
        return packed, wire, read, unpacked

    def _read(self, file: BytesIO, size: int) -> Any:
        try:
            read = self.pipe.read(file)
        except EOFError as error:
            raise PipeError(
                "read wants more than write has written",
                where=str(self.pipe),
                expected="read takes the bytes of one block",
                found=f"{size} bytes",
            ) from error
        left = len(file.read())
        if left:
            raise PipeError(
                "read has left bytes of the block",
                where=str(self.pipe),
                expected="read takes all that write has written",
                found=f"{left} of {size} bytes left",
            )
        return read


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({type(value).__name__})"
