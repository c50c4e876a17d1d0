"""Output to readers that stall."""

import io
import os
import signal
import sys
import threading
from time import monotonic

import pytest

from fission.management.console.interruptible_output import InterruptibleStream, interruptible_output
from kits.stalled import Pipe


def test_texts_come_through(pipe: Pipe) -> None:
    stream = InterruptibleStream(pipe.stream)
    print("grüße \ud800", file=stream, flush=True)
    assert pipe.reader.readline() == "grüße \\ud800\n".encode()
    assert (stream.encoding, stream.fileno(), stream.isatty(), stream.writable()) == (
        "utf-8",
        pipe.stream.fileno(),
        False,
        True,
    )


def test_a_slow_reader_is_waited_for(pipe: Pipe) -> None:
    stream, text = InterruptibleStream(pipe.stream), "0123456789" * 100_000
    got = io.BytesIO()
    reader = threading.Thread(target=lambda: got.write(pipe.reader.read(len(text))))
    reader.start()
    stream.write(text)
    stream.flush()
    reader.join(30)
    assert got.getvalue() == text.encode()


def test_pending_output_is_discarded_at_the_deadline(pipe: Pipe) -> None:
    before = pipe.fill()
    stream = InterruptibleStream(pipe.stream)
    stream.set_deadline(monotonic() + 0.05)
    print("lost", file=stream, flush=True)
    stream.finish()
    pipe.stream.close()
    assert pipe.reader.read() == before


def test_a_signal_ends_the_wait(pipe: Pipe) -> None:
    pipe.fill()
    stream = InterruptibleStream(pipe.stream)
    before = signal.signal(signal.SIGUSR1, lambda *_: stream.set_deadline(monotonic()))
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        print("lost", file=stream, flush=True)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_reader_that_has_gone(pipe: Pipe) -> None:
    pipe.reader.close()
    stream = InterruptibleStream(pipe.stream)
    with pytest.raises(BrokenPipeError):
        print("text", file=stream, flush=True)
    stream.finish()


def test_they_replace_stdout_and_stderr(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    monkeypatch.setattr(sys, "stderr", memory)
    with interruptible_output() as set_deadline:
        assert isinstance(sys.stdout, InterruptibleStream)
        assert sys.stderr is memory, "no file is behind it"
        sys.stdout.write("unflushed")
        set_deadline(monotonic())
    assert sys.stdout is pipe.stream
    pipe.stream.close()
    assert pipe.reader.read() == b"unflushed"
