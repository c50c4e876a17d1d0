"""A stream gives each block once and in order, however often its sender dies and goes back to a checkpoint."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission import PicklePipe
from fission.api.background import LoopThread
from fission.api.block_sender import BlockSender
from fission.api.streams import BlockStream
from fission.core import base
from kits.waiting import wait_for


@contextlib.contextmanager
def served(stream: BlockStream) -> Iterator[str]:
    """Provide the address of a stream that is served."""
    with TemporaryDirectory(prefix="fission-test-") as folder:
        over = asyncio.Event()
        thread = LoopThread("test")

        async def main() -> None:
            serving = asyncio.create_task(stream.serve(f"{folder}/s", thread.post))
            await over.wait()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving

        thread.start(main)
        wait_for(stream.listening.is_set, "the stream listens")
        try:
            yield f"{folder}/s"
        finally:
            thread.post(over.set)
            thread.result.result(30)


class Sender(BlockSender):
    def kill(self) -> None:
        """Do to the connection what the end of the process does: there is no farewell."""
        assert self._link is not None
        self._link.socket.close()


def sender(address: str, *, buffer: int = 4, latest: bool = False) -> Sender:
    base.reset()
    return Sender(PicklePipe(7), 7, address, buffer, latest=latest, name="sender")


@given(
    seed=st.integers(0, 1 << 32), buffer=st.integers(1, 9), count=st.integers(0, 60), deaths=st.integers(0, 4)
)
def test_every_block_comes_once_over_restarts(seed: int, buffer: int, count: int, deaths: int) -> None:
    dice = random.Random(seed)
    stream = BlockStream(7, buffer=buffer, latest=False, as_arrays=False)
    with served(stream) as address:

        def send() -> None:
            try:
                send_all()
            finally:
                stream.end(None)  # also when it has failed: then blocks are missing

        def send_all() -> None:
            done, states = 0, [0]
            for death in range(deaths + 1):
                job = sender(address, buffer=buffer)
                job.count = done = dice.choice(states)  # any checkpoint may be the one that is found
                job.setup()
                last = count if death == deaths else dice.randint(done, count)
                while job.count < last:
                    job.run(("block", job.count + 1))
                    if dice.random() < 0.5:
                        states.append(job.count)
                job.kill() if death < deaths else job.teardown()
            wait_for(lambda: stream.complete, "the end has arrived")

        sending = threading.Thread(target=send)
        sending.start()
        assert list(stream) == [("block", n) for n in range(1, count + 1)]
        sending.join()


def test_a_reader_that_does_not_read_stops_the_sender() -> None:
    stream = BlockStream(7, buffer=3, latest=False, as_arrays=False)
    with served(stream) as address:
        job = sender(address, buffer=3)
        job.setup()
        rounds = threading.Thread(target=lambda: [job.run(n) for n in range(10)], daemon=True)
        rounds.start()
        wait_for(lambda: job.count == 3, "the window is full")
        assert stream.take(1) == [0]
        wait_for(lambda: job.count > 3, "there is room again")
        assert job.count < 10
        assert stream.take(9) == list(range(1, 10))
        rounds.join(30)
        job.teardown()


def test_the_latest_block_is_new_and_nobody_waits() -> None:
    stream = BlockStream(7, buffer=1, latest=True, as_arrays=False)
    with served(stream) as address:
        job = sender(address, latest=True)
        job.setup()
        for number in range(1000):
            job.run(number)
        wait_for(lambda: stream.received == 1000, "the last block has arrived")
        assert stream.get(30) == 999
        job.teardown()


def test_a_closed_stream_holds_nobody_up() -> None:
    stream = BlockStream(7, buffer=2, latest=False, as_arrays=False)
    with served(stream) as address:
        job = sender(address, buffer=2)
        job.setup()
        stream.close()
        for number in range(100):
            job.run(number)
        job.teardown()
    assert list(stream) == []


def test_blocks_of_any_size_arrive_whole() -> None:
    stream = BlockStream(7, buffer=64, latest=False, as_arrays=False)
    blocks = [
        bytes([n]) * size for n, size in enumerate((0, 1, 47, 65_519, 65_536, 1 << 20, 3, (5 << 20) + 1, 0))
    ]
    with served(stream) as address:
        job = sender(address, buffer=64)
        job.setup()
        sending = threading.Thread(target=lambda: [job.run(block) for block in blocks])
        sending.start()
        assert stream.take(len(blocks)) == blocks
        sending.join()
        job.teardown()


def test_the_error_comes_after_the_last_block() -> None:
    stream = BlockStream(7, buffer=4, latest=False, as_arrays=False)
    with served(stream) as address:
        job = sender(address)
        job.setup()
        job.run("last")
        wait_for(lambda: stream.received == 1, "it has arrived")
        stream.end(RuntimeError("the network has failed"))
        assert next(stream) == "last"
        with pytest.raises(RuntimeError, match="the network has failed"):
            next(stream)
        job.teardown()


def test_a_wait_can_end() -> None:
    stream = BlockStream(7, buffer=4, latest=False, as_arrays=False)
    with pytest.raises(TimeoutError):
        stream.get(0.01)
    stream.end(None)
    with pytest.raises(EOFError, match="pipe 7: the stream has ended"):
        stream.get()
