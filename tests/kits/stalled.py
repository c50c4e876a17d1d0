"""A pipe with a reader that can stall."""

import os


class Pipe:
    """A pipe with a stream that writes into it."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self.reader = open(reader, "rb")  # noqa: SIM115 - closed below
        self.stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115

    def fill(self) -> bytes:
        """Write until the pipe is full; return what was written."""
        file, written = self.stream.fileno(), b""
        os.set_blocking(file, False)
        try:
            while True:
                written += b"x" * os.write(file, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(file, True)
            return written

    def close(self) -> None:
        self.reader.close()
        self.stream.close()
