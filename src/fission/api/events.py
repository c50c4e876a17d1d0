"""What happens in a network, for the holder of its handle: bounded memory, however long it runs."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, time

__all__ = ["Event", "EventLog"]

KEPT = 10_000
"""Events in memory; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line: what a job printed (`kind` "output") or logged, or what happened to a job or a node ("log").

    `time` is in seconds since 1970, `level` one of the module `logging`, `job` the name of the job, or "" for the network.
    """

    time: float
    kind: str
    level: int
    job: str
    text: str

    def __str__(self) -> str:
        return f"{self.job} | {self.text}" if self.job else self.text


class EventLog:
    """Keeps the newest events, and hands them to readers. Thread-safe; `close` ends the readers."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._count = 0  # of all events so far
        self._closed = False
        self._changed = threading.Condition()

    def add(self, kind: str, level: int, job: str, text: str) -> Event:
        """Add an event and return it."""
        event = Event(time(), kind, level, job, text)
        with self._changed:
            self._events.append(event)
            self._count += 1
            self._changed.notify_all()
        return event

    def close(self) -> None:
        """No more events come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def newest(self) -> list[Event]:
        """Return the events that are kept, oldest first."""
        with self._changed:
            return list(self._events)

    def follow(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield the events that are kept and those that come; end with the network, or `timeout` seconds after the last.

        A reader that is too slow misses the oldest.
        """
        seen = 0
        while True:
            with self._changed:
                until = None if timeout is None else monotonic() + timeout
                while self._count == seen and not self._closed:
                    if not self._changed.wait(None if until is None else max(0.0, until - monotonic())):
                        return
                new = min(self._count - seen, len(self._events))
                batch = [self._events[index] for index in range(len(self._events) - new, len(self._events))]
                seen = self._count
                over = self._closed and not batch
            yield from batch
            if over:
                return


def level_name(level: int) -> str:
    """Return the name of a level in small letters, as in the lines of the commands."""
    return logging.getLevelName(level).lower()
