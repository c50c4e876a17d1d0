"""Writing without waiting for the reader."""

import io
import sys
import threading
from collections.abc import Iterator

import pytest

from fission.management.console import relays as relays_module
from fission.management.console.relays import Carrier, Relay, relays
from kits.stalled import Pipe


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    made = Carrier()
    yield made
    made.finish()


def test_texts_come_through_in_their_order(pipe: Pipe, carrier: Carrier) -> None:
    one, other = Relay(pipe.stream, carrier), Relay(pipe.stream, carrier)
    for number in range(100):
        print(number, file=(one, other)[number % 2], flush=True)
    carrier.finish()
    pipe.stream.close()
    assert pipe.reader.read().split() == [str(number).encode() for number in range(100)]


def test_lines_are_left_out_and_counted(
    pipe: Pipe, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays_module, "MOST", 100)
    before = pipe.fill()
    relay = Relay(pipe.stream, carrier)
    for number in range(1000):
        print(f"line {number:5}", file=relay, flush=True)
    print("the", end=" ", file=relay, flush=True)
    print("last", file=relay, flush=True)
    assert pipe.reader.read(len(before)) == before
    lines = [pipe.reader.readline() for _ in range(10)]
    assert lines == [f"line {number:5}\n".encode() for number in range(10)]
    print("again", file=relay, flush=True)
    carrier.finish()
    pipe.stream.close()
    assert pipe.reader.read().decode() == (
        "... 991 lines were left out, as nobody read them; the log has them\nagain\n"
    )


def test_a_reader_that_stands_still_is_left_behind(pipe: Pipe, carrier: Carrier) -> None:
    before = pipe.fill()
    relay = Relay(pipe.stream, carrier)
    print("lost", file=relay, flush=True)
    carrier.finish()
    assert pipe.reader.read(len(before)) == before  # and the thread can end


def test_who_wants_to_know_hears_that_the_reader_has_gone(pipe: Pipe, carrier: Carrier) -> None:
    heard = threading.Event()
    carrier.when_broken(heard.set)
    pipe.reader.close()
    relay = Relay(pipe.stream, carrier)
    print("text", file=relay, flush=True)
    assert heard.wait(30)
    assert carrier.broken
    print("text", file=relay, flush=True)
    late = threading.Event()
    carrier.when_broken(late.set)
    assert late.is_set()
    carrier.when_broken(None)


def test_they_stand_in_for_stdout_and_stderr(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    monkeypatch.setattr(sys, "stderr", memory)
    with relays():
        assert isinstance(sys.stdout, Relay)
        assert sys.stderr is memory, "no file is behind it"
        sys.stdout.write("unflushed")
    assert sys.stdout is pipe.stream
    pipe.stream.close()
    assert pipe.reader.read() == b"unflushed"
