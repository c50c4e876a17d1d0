"""Writing to readers that stand still."""

import io
import os
import signal
import sys
import threading
from time import monotonic

import pytest

from fission.management.console.outlets import Outlet, outlets
from kits.stalled import Pipe


def test_texts_come_through(pipe: Pipe) -> None:
    outlet = Outlet(pipe.stream)
    print("grüße \ud800", file=outlet, flush=True)
    assert pipe.reader.readline() == "grüße \\ud800\n".encode()
    assert (outlet.encoding, outlet.fileno(), outlet.isatty(), outlet.writable()) == (
        "utf-8",
        pipe.stream.fileno(),
        False,
        True,
    )


def test_a_slow_reader_is_waited_for(pipe: Pipe) -> None:
    outlet, text = Outlet(pipe.stream), "0123456789" * 100_000
    got = io.BytesIO()
    reader = threading.Thread(target=lambda: got.write(pipe.reader.read(len(text))))
    reader.start()
    outlet.write(text)
    outlet.flush()
    reader.join(30)
    assert got.getvalue() == text.encode()


def test_nobody_is_waited_for_after_the_deadline(pipe: Pipe) -> None:
    before = pipe.fill()
    outlet = Outlet(pipe.stream)
    outlet.hurry(monotonic() + 0.05)
    print("lost", file=outlet, flush=True)
    outlet.finish()
    pipe.stream.close()
    assert pipe.reader.read() == before


def test_a_signal_ends_the_wait(pipe: Pipe) -> None:
    pipe.fill()
    outlet = Outlet(pipe.stream)
    before = signal.signal(signal.SIGUSR1, lambda *_: outlet.hurry(monotonic()))
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        print("lost", file=outlet, flush=True)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_reader_that_has_gone(pipe: Pipe) -> None:
    pipe.reader.close()
    outlet = Outlet(pipe.stream)
    with pytest.raises(BrokenPipeError):
        print("text", file=outlet, flush=True)
    outlet.finish()


def test_they_stand_in_for_stdout_and_stderr(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    monkeypatch.setattr(sys, "stderr", memory)
    with outlets() as hurry:
        assert isinstance(sys.stdout, Outlet)
        assert sys.stderr is memory, "no file is behind it"
        sys.stdout.write("unflushed")
        hurry(monotonic())
    assert sys.stdout is pipe.stream
    pipe.stream.close()
    assert pipe.reader.read() == b"unflushed"
