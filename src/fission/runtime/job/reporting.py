"""Reports the counters of a job while it runs, and the blocks that were lost at its end."""

import os
from collections.abc import Callable
from time import monotonic

from fission.runtime import messages
from fission.runtime.data.exchange import Exchange

_ANYWAY = 30.0
"""Seconds after which counters are sent that have not changed: for a client that has reconnected."""


class Reporter:
    """Call `report` about twice a second, `report_losses` at the end.

    `send` sends a message to the supervisor. `cpu_seconds` returns the processor time of other processes of the job.
    `timeout` is the job's progress timeout: silence that lasts so long ends the process.
    """

    def __init__(
        self,
        send: Callable[[messages.FromJob], None],
        cpu_seconds: Callable[[], float],
        timeout: float = 0.0,
    ) -> None:
        self._send = send
        self._timeout = timeout
        self._anyway = min(_ANYWAY, timeout / 4) if timeout else _ANYWAY
        self._cpu_seconds = cpu_seconds
        self._last: tuple[object, ...] = ()
        self._sent_at = 0.0
        self._round: tuple[int, int] | None = None  # after which one is being computed
        self._since = 0.0

    def report(
        self, exchange: Exchange, *, gave_nothing: bool = False, computing: bool | None = None
    ) -> None:
        """Send the counters, unless they have not changed: an idle network is silent."""
        epoch, round = exchange.progress
        pipes = dict(exchange.counters())
        now = monotonic()
        silent = exchange.silent()
        said = (epoch, round, pipes, silent.keys(), computing)
        if said == self._last and not gave_nothing and now < self._sent_at + self._anyway:
            return
        self._last, self._sent_at = said, now
        times = os.times()
        seconds = times.user + times.system + self._cpu_seconds()
        place = self._place((epoch, round) if computing and self._timeout else None, now)
        self._send(messages.Status(round, seconds, pipes, epoch, gave_nothing, silent, computing, place))

    def _place(self, position: tuple[int, int] | None, now: float) -> str:
        """Return where the job's code is, if it has computed the round after this position for half of the timeout."""
        if position != self._round:
            self._round, self._since = position, now
        if position is None or now < self._since + self._timeout / 2:
            return ""
        from fission.runtime.job.failure import describe_place  # noqa: PLC0415 - it imports much

        return describe_place()

    def report_losses(self, exchange: Exchange) -> None:
        """Log the blocks that were dropped, or were left over at the end."""
        join = exchange.incoming.join
        for port in exchange.incoming.joined:
            left = join.leftover(port.index) if join is not None else 0
            if left:
                text = f"{left} blocks of {port.pipe} came after the last round that could be computed"
                self._send(messages.Log(20, text))
        for out_port in exchange.outputs:
            if out_port.sender.counters.dropped:
                text = f"{out_port.sender.counters.dropped} blocks of {out_port.pipe} were dropped"
                self._send(messages.Log(30, text))
