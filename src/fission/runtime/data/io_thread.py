"""The second thread of a job process: it serves the sockets while user code runs for long."""

import threading
from collections.abc import Callable
from time import monotonic, sleep

from fission.runtime.data.exchange import Exchange

_FAST, _SLOW = 0.002, 0.02
_PARK_AFTER = 0.2


class IoThread(threading.Thread):
    """Looks every 2 ms (20 ms when nothing happens) whether the job's thread has been away from the exchange.

    It never blocks while it holds the exchange's lock, so the job's thread never waits for it for long. When
    the job's thread has been waiting in the exchange for a while, this one sleeps until that changes: an idle
    job costs no processor time. `on_error` gets an exception that ends the thread, which is a bug or a broken
    control connection.
    """

    def __init__(self, exchange: Exchange, on_error: Callable[[BaseException], None]) -> None:
        super().__init__(name="fission-io", daemon=True)
        self._exchange = exchange
        self._on_error = on_error
        self._closing = False

    def close(self) -> None:
        """Ask the thread to end; it does so within a tick."""
        self._closing = True
        self._exchange.unpark.set()

    def run(self) -> None:
        """Pump until closed."""
        try:
            tick = _FAST
            while not self._closing:
                sleep(tick)
                tick = self._look(tick)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the job must not go on half deaf
            self._on_error(error)

    def _look(self, tick: float) -> float:
        """Serve the sockets if needed; return the seconds until the next check."""
        exchange = self._exchange
        away = monotonic() - exchange.serviced_at
        if exchange.waiting:
            if away > _PARK_AFTER:
                self._park()
            return _SLOW
        if away < _FAST or not exchange.lock.acquire(blocking=False):
            return _FAST
        try:
            busy = exchange.pump(0.0)
            exchange.hand_over()
            exchange.report_if_due()
        finally:
            exchange.lock.release()
        return _FAST if busy else min(_SLOW, tick * 1.5)

    def _park(self) -> None:
        exchange = self._exchange
        exchange.unpark.clear()
        exchange.parked = True  # before the second look: the job's thread sets `waiting`, then looks here
        if exchange.waiting and not self._closing:
            exchange.unpark.wait()
        exchange.parked = False
