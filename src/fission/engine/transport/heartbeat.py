"""Sends heartbeats from a dedicated thread, so that a stalled event loop is not mistaken for a dead peer.

Starting ten processes on a busy machine stalls an event loop for seconds: 2.8 s were measured, while this thread was delayed
by 0.1 s. Heartbeats sent from the loop would have lost the link.
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
    """A connection that sends heartbeats; `beat` is called in the sender's thread."""

    def beat(self) -> None:
        """Say that we are there, without waiting."""


class HeartbeatSender:
    """Calls `beat` of each stream at its interval, as long as the event loop calls `turned()` regularly.

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
        with contextlib.suppress(OSError):  # needs a privilege
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
