"""What a job process says of its counters while it runs, and of what was left over at its end."""

import os
from collections.abc import Callable
from time import monotonic

from fission.runtime import messages
from fission.runtime.data.exchange import Exchange

_ANYWAY = 30.0
"""Seconds after which counters are sent that have not changed: for a client that has come back meanwhile."""


class Reporter:
    """Call `report` about twice a second, `tell_losses` at the end.

    `tell` sends a message to the supervisor. `cpu_seconds` gives what other processes of the job have used.
    """

    def __init__(self, tell: Callable[[messages.FromJob], None], cpu_seconds: Callable[[], float]) -> None:
        self._tell = tell
        self._cpu_seconds = cpu_seconds
        self._last: tuple[object, ...] = ()
        self._told_at = 0.0

    def report(self, exchange: Exchange, *, gave_nothing: bool = False) -> None:
        """Send the counters, unless nothing has moved since the last time: an idle network should be silent."""
        epoch, round = exchange.progress
        pipes = dict(exchange.counters())
        now = monotonic()
        if (epoch, round, pipes) == self._last and not gave_nothing and now < self._told_at + _ANYWAY:
            return
        self._last, self._told_at = (epoch, round, pipes), now
        times = os.times()
        seconds = times.user + times.system + self._cpu_seconds()
        self._tell(messages.Status(round, seconds, pipes, epoch, gave_nothing))

    def tell_losses(self, exchange: Exchange) -> None:
        """Nothing is dropped silently."""
        join = exchange.incoming.join
        for port in exchange.incoming.joined:
            left = join.leftover(port.index) if join is not None else 0
            if left:
                text = f"{left} blocks of {port.pipe} came after the last round that could be computed"
                self._tell(messages.Log(20, text))
        for out_port in exchange.outputs:
            if out_port.sender.counters.dropped:
                text = f"{out_port.sender.counters.dropped} blocks of {out_port.pipe} were dropped"
                self._tell(messages.Log(30, text))
