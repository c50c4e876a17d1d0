"""Watches sockets and calls their handlers when they are ready."""

import select
from collections.abc import Callable

from fission.runtime.sockets.connection import Connection

READ = select.POLLIN
WRITE = select.POLLOUT
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Poller:
    """A poll object with a handler per descriptor. A handler gets the events: READ, WRITE, GONE."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._masks: dict[int, int] = {}
        self._again: set[int] = set()  # not paused, and with something to read that poll does not know of

    def watch(self, fd: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` when `fd` can be read; replaces an earlier handler."""
        self._handlers[fd] = handler
        self._masks[fd] = READ
        self._poll.register(fd, READ)

    def want(self, connection: Connection, *, paused: bool = False) -> None:
        """Watch a connection for writing while it has something to write, and for reading unless it is paused."""
        mask = (0 if paused else READ) | (WRITE if connection.wants_write else 0)
        fd = connection.fd
        if self._masks.get(fd, mask) != mask:
            self._masks[fd] = mask
            self._poll.modify(fd, mask)
        if connection.unread and not paused and fd in self._masks:
            self._again.add(fd)
        elif self._again:
            self._again.discard(fd)

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that are watched."""
        return list(self._handlers)

    def drop(self, connection: Connection) -> None:
        """Forget a connection and close it."""
        self.forget(connection.fd)
        connection.close()

    def forget(self, fd: int) -> None:
        """Stop watching."""
        if self._handlers.pop(fd, None) is not None:
            del self._masks[fd]
            self._again.discard(fd)
            self._poll.unregister(fd)

    def poll(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; call the handlers of what is ready. Returns whether anything was."""
        if self._again:
            return self._poll_again()
        ready = self._poll.poll(timeout * 1000)
        for fd, event in ready:
            handler = self._handlers.get(fd)
            if handler is not None:  # an earlier handler may have closed it
                handler(event)
        return bool(ready)

    def _poll_again(self) -> bool:
        """The same, without waiting, where some connections have something to read already."""
        ready = dict(self._poll.poll(0))
        for fd in self._again:
            ready[fd] = ready.get(fd, 0) | READ
        self._again.clear()
        for fd, event in ready.items():
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(event)
        return bool(ready)
