"""Writing to readers that stand still."""

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from fission.management import _outlets
from fission.management._outlets import Outlet, outlets


class Pipe:
    """A pipe with a stream that writes into it."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self.reader = open(reader, "rb")  # noqa: SIM115 - closed below
        self.stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115

    def fill(self) -> bytes:
        """Write until nothing more goes in."""
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


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_texts_come_through(pipe: Pipe) -> None:
    outlet = Outlet(pipe.stream, wait=True)
    print("grüße \ud800", file=outlet, flush=True)
    assert pipe.reader.readline() == "grüße \\ud800\n".encode()
    assert (outlet.encoding, outlet.fileno(), outlet.isatty(), outlet.writable()) == (
        "utf-8",
        pipe.stream.fileno(),
        False,
        True,
    )


def test_a_slow_reader_is_waited_for(pipe: Pipe) -> None:
    outlet, text = Outlet(pipe.stream, wait=True), "0123456789" * 100_000
    got = io.BytesIO()
    reader = threading.Thread(target=lambda: got.write(pipe.reader.read(len(text))))
    reader.start()
    outlet.write(text)
    outlet.flush()
    reader.join(30)
    assert got.getvalue() == text.encode()


def test_nobody_is_waited_for_after_the_deadline(pipe: Pipe) -> None:
    before = pipe.fill()
    outlet = Outlet(pipe.stream, wait=True)
    outlet.hurry(monotonic() + 0.05)
    print("lost", file=outlet, flush=True)
    outlet.finish()
    pipe.stream.close()
    assert pipe.reader.read() == before


def test_a_signal_ends_the_wait(pipe: Pipe) -> None:
    pipe.fill()
    outlet = Outlet(pipe.stream, wait=True)
    before = signal.signal(signal.SIGUSR1, lambda *_: outlet.hurry(monotonic()))
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        print("lost", file=outlet, flush=True)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_without_waiting_lines_are_left_out_and_counted(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outlets, "_MOST", 100)
    before = pipe.fill()
    outlet = Outlet(pipe.stream, wait=False)
    for number in range(1000):
        print(f"line {number:5}", file=outlet, flush=True)
    print("the", end=" ", file=outlet, flush=True)
    print("last", file=outlet, flush=True)
    assert pipe.reader.read(len(before)) == before
    print("again", file=outlet, flush=True)
    outlet.finish()
    pipe.stream.close()
    lines = pipe.reader.read().decode().splitlines()
    assert lines == [
        *(f"line {number:5}" for number in range(10)),
        "... 991 lines were left out, as nobody read them",
        "again",
    ]


def test_a_reader_that_has_gone(pipe: Pipe) -> None:
    pipe.reader.close()
    outlet = Outlet(pipe.stream, wait=True)
    with pytest.raises(BrokenPipeError):
        print("text", file=outlet, flush=True)
    outlet.finish()


def test_they_stand_in_for_stdout_and_stderr(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    monkeypatch.setattr(sys, "stderr", memory)
    with outlets(wait=True) as hurry:
        assert isinstance(sys.stdout, Outlet)
        assert sys.stderr is memory, "no file is behind it"
        sys.stdout.write("unflushed")
        hurry(monotonic())
    assert sys.stdout is pipe.stream
    pipe.stream.close()
    assert pipe.reader.read() == b"unflushed"
