"""The neighbors of an emulated job: the other end of each of its pipes, with the real sockets and protocol."""

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, time

from fission.channel.conversation import SenderState
from fission.channel.join import InputRule, Join
from fission.channel.receiver import Receiver
from fission.channel.sender import Sender
from fission.channel.wire.frames import Payload
from fission.core.pipes import BasePipe
from fission.runtime.data.incoming import Incoming
from fission.runtime.data.outgoing import Outgoing
from fission.runtime.data.ports import InPort, OutPort
from fission.runtime.sockets import transport
from fission.runtime.sockets.poller import Poller

__all__ = ["Blocks", "Neighbors"]

Blocks = Sequence[tuple[Payload, int]]
"""Blocks of one pipe for one round, each with its wire head."""

_log = logging.getLogger("fission.emulate")


class Neighbors:
    """Sends blocks to the inputs of a job, and receives its outputs round by round.

    `write` a round, then `step` until `take` returns one. The job's inputs are our outgoing ports: `feeds`; its
    outputs are our incoming ones: `taps`. Routes: give `address` to the job, and the job's to `connect`.
    """

    def __init__(
        self, inputs: Sequence[BasePipe], outputs: Sequence[BasePipe], sockets: Path, poller: Poller
    ) -> None:
        self.run = uuid.uuid4().hex
        self.feeds = [_feed(pipe, self.run) for pipe in inputs]
        self.taps = [_tap(pipe, self.run, index) for index, pipe in enumerate(outputs)]
        self._poller = poller
        self._epoch = 0
        listeners = transport.listen(f"unix:{sockets / 'neighbors'}")
        self.address = transport.address_of(listeners)
        self._incoming = Incoming(self.taps, listeners, poller, _log.log)
        self._incoming.join = Join([InputRule(delivery=_delivery(pipe)) for pipe in outputs])
        self._incoming.acceptor.open()
        # Synchronous inputs get their blocks last: when the job has them, it has the others as well.
        ordered = sorted(self.feeds, key=lambda feed: not feed.pipe.ASYNC)
        self._outgoing = Outgoing(ordered, poller, _log.log)

    @property
    def connected(self) -> bool:
        """Whether every pipe is connected."""
        return all(feed.sender.state is SenderState.STREAMING for feed in self.feeds) and all(
            tap.connection is not None for tap in self.taps
        )

    @property
    def finished(self) -> bool:
        """Whether the job has ended its outputs and no round is left."""
        return self._incoming.finished

    @property
    def flushed(self) -> bool:
        """Whether all blocks have left for the job."""
        return not any(
            feed.pending or feed.sender.waiting or (feed.connection is not None and feed.connection.backlog)
            for feed in self.feeds
        )

    def connect(self, address: str) -> None:
        """The job listens at this address."""
        for feed in self.feeds:
            self._outgoing.route(feed.pipe.id, address)
        self._outgoing.hand_over()

    def write(self, rounds: Sequence[tuple[OutPort, Blocks]], *, reset: bool = False) -> None:
        """Let these blocks leave at the next `step`; with `reset` they are the first of a new epoch."""
        if reset:
            self._epoch = max(self._epoch, 1) + 1
            self._outgoing.begin_epoch(self._epoch)
        for feed, blocks in rounds:
            for payload, head in blocks:
                feed.sender.write([payload], head, monotonic(), time())
        self._outgoing.hand_over()

    def take(self) -> tuple[list[Payload], list[int]] | None:
        """Return the blocks and wire heads of the next round, one per output; None as long as it is not complete."""
        stretch = self._incoming.take(1)  # a program runs ahead
        if stretch is None:
            return None
        for tap in self.taps:
            self._incoming.release(tap.pipe.id, stretch.epoch, stretch.first + stretch.count - 1)
        self._incoming.acknowledge()
        return [column[0] for column in stretch.columns], [heads[0] for heads in stretch.heads]

    def step(self, timeout: float) -> None:
        """Move what can be moved; wait up to `timeout` seconds for something to come."""
        self._poller.poll(timeout)
        self._outgoing.hand_over()
        self._incoming.acknowledge()

    def dismiss(self) -> None:
        """Tell the job that its outputs were worked off, so that it may end."""
        for tap in self.taps:
            tap.receiver.done()
        self._incoming.acknowledge()

    def close(self) -> None:
        """Close all sockets."""
        ports: list[OutPort | InPort] = [*self.feeds, *self.taps]
        for port in ports:
            if port.connection is not None:
                self._poller.drop(port.connection)
                port.connection = None
        self._incoming.acceptor.close()


def _feed(pipe: BasePipe, run: str) -> OutPort:
    sender = Sender(pipe.id, run=run, delivery=_delivery(pipe), retain=pipe.RETAIN, needed=pipe.BLOCK_COUNT)
    return OutPort(pipe, sender)


def _tap(pipe: BasePipe, run: str, index: int) -> InPort:
    receiver = Receiver(pipe.id, run=run, delivery=_delivery(pipe), retain=pipe.RETAIN)
    return InPort(pipe, receiver, index=index, mailbox=None, max_queue=0)


def _delivery(pipe: BasePipe) -> str:
    """As in a network: the job's own end of the pipe speaks like this too."""
    return "live" if pipe.ASYNC else pipe.DELIVERY
