"""Output that does not wait for its reader."""

import io
import sys
import threading
from collections.abc import Iterator

import pytest

from fission.management.console import nonblocking_output as nonblocking_module
from fission.management.console.nonblocking_output import NonblockingStream, OutputThread, nonblocking_output
from kits.stalled import Pipe


@pytest.fixture
def thread() -> Iterator[OutputThread]:
    made = OutputThread()
    yield made
    made.finish()


def test_texts_come_through_in_their_order(pipe: Pipe, thread: OutputThread) -> None:
    one, other = NonblockingStream(pipe.stream, thread), NonblockingStream(pipe.stream, thread)
    for number in range(100):
        print(number, file=(one, other)[number % 2], flush=True)
    thread.finish()
    pipe.stream.close()
    assert pipe.reader.read().split() == [str(number).encode() for number in range(100)]


def test_lines_are_left_out_and_counted(
    pipe: Pipe, thread: OutputThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonblocking_module, "MAX_QUEUED_BYTES", 100)
    before = pipe.fill()
    stream = NonblockingStream(pipe.stream, thread)
    for number in range(1000):
        print(f"line {number:5}", file=stream, flush=True)
    print("the", end=" ", file=stream, flush=True)
    print("last", file=stream, flush=True)
    assert pipe.reader.read(len(before)) == before
    lines = [pipe.reader.readline() for _ in range(10)]
    assert lines == [f"line {number:5}\n".encode() for number in range(10)]
    print("again", file=stream, flush=True)
    thread.finish()
    pipe.stream.close()
    assert pipe.reader.read().decode() == (
        "... 991 lines were dropped: the reader of this output is too slow. The log has them\nagain\n"
    )


def test_a_stalled_reader_does_not_block_the_end(pipe: Pipe, thread: OutputThread) -> None:
    before = pipe.fill()
    stream = NonblockingStream(pipe.stream, thread)
    print("lost", file=stream, flush=True)
    thread.finish()
    assert pipe.reader.read(len(before)) == before  # and the thread can end


def test_the_callback_runs_when_the_reader_is_gone(pipe: Pipe, thread: OutputThread) -> None:
    called = threading.Event()
    thread.when_broken(called.set)
    pipe.reader.close()
    stream = NonblockingStream(pipe.stream, thread)
    print("text", file=stream, flush=True)
    assert called.wait(30)
    assert thread.broken
    print("text", file=stream, flush=True)
    late = threading.Event()
    thread.when_broken(late.set)
    assert late.is_set()
    thread.when_broken(None)


def test_they_replace_stdout_and_stderr(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    monkeypatch.setattr(sys, "stderr", memory)
    with nonblocking_output():
        assert isinstance(sys.stdout, NonblockingStream)
        assert sys.stderr is memory, "no file is behind it"
        sys.stdout.write("unflushed")
    assert sys.stdout is pipe.stream
    pipe.stream.close()
    assert pipe.reader.read() == b"unflushed"
