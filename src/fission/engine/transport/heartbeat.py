"""Signs of life from a thread of its own.

Whoever starts ten processes on a busy machine keeps his event loop from turning for seconds: 2.8 s were measured, of
which this thread felt 0.1 s. A link that gave its pulses from the loop would be declared dead for that.
"""

import contextlib
import os
import threading
from time import monotonic
from typing import Protocol

__all__ = ["STUCK_SECONDS", "HeartbeatSender"]

STUCK_SECONDS = 10.0
"""A loop that has not turned for so long counts as dead, and then so does the link."""

_PRIORITY = -10
"""Before the jobs of this machine, where that is allowed (root, or LimitNICE of the systemd unit)."""


class HeartbeatTarget(Protocol):
    """What gives a sign of life; `beat` is called in the heart's thread."""

    def beat(self) -> None:
        """Say that we are there, without waiting."""


class HeartbeatSender:
    """Lets streams beat, each at its own interval, as long as the loop says `turned()` now and then.

    `start()`, `add`, `remove`, and `close()` in the end, all from the loop's thread.
    """

    def __init__(self) -> None:
        self._due: dict[HeartbeatTarget, tuple[float, float]] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._turned = monotonic()
        self._thread = threading.Thread(target=self._run, name="fission-heart", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, stream: HeartbeatTarget, interval: float) -> None:
        """Let a stream beat every `interval` seconds, at once for the first time."""
        self.turned()
        with self._changed:
            self._due[stream] = (0.0, interval)
            self._changed.notify()

    def remove(self, stream: HeartbeatTarget) -> None:
        """Leave a stream alone."""
        with self._changed:
            self._due.pop(stream, None)

    def turned(self) -> None:
        """The loop turns."""
        self._turned = monotonic()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # not allowed to everybody
            # on Linux a thread has a priority of its own, and processes started by others do not inherit it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _PRIORITY)
        while True:
            with self._changed:
                if self._closing:
                    return
                now = monotonic()
                ready = [stream for stream, (due, _) in self._due.items() if due <= now]
                for stream in ready:
                    interval = self._due[stream][1]
                    self._due[stream] = (now + interval, interval)
                if not ready:
                    self._changed.wait(min((due - now for due, _ in self._due.values()), default=None))
            if now - self._turned < STUCK_SECONDS:
                for stream in ready:
                    stream.beat()
