"""The events of a program that are polled: those of its pipes that can be served now, and its end."""

import select
from collections.abc import Iterator, Sequence

from fission.runtime.programs.pipe_io import End, InputEnd, OutputEnd

__all__ = ["Interest"]


class Interest:
    """`watch` what belongs to the program itself, `update` after each turn, and look at the `events`; at last `close`."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._by_fd: dict[int, tuple[End, int]] = {}

    def fileno(self) -> int:
        """What is readable when there are events."""
        return self._poll.fileno()

    def watch(self, fd: int) -> None:
        """Report when this descriptor is readable."""
        self._poll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Stop watching this descriptor."""
        self._poll.unregister(fd)

    def events(self) -> Iterator[tuple[int, End | None, int]]:
        """The pending events: the descriptor, the pipe end if it is one, and the mask."""
        for fd, event in self._poll.poll(0):
            known = self._by_fd.get(fd)
            yield fd, None if known is None else known[0], event

    def update(self, inputs: Sequence[InputEnd], outputs: Sequence[OutputEnd]) -> None:
        """Watch what can be served now: inputs with data to write for room, outputs that want blocks for data."""
        for end in inputs:
            if end.fd is not None and not end.broken:
                waiting = end.queued or (end.live and not end.drained)
                self._register(end, end.fd, select.EPOLLOUT if waiting else 0)
        for out in outputs:
            if out.fd is not None and out.wanted:
                self._register(out, out.fd, select.EPOLLIN)
            else:
                self.forget(out)

    def forget(self, end: End) -> None:
        """Stop watching a pipe end; call it before the end is closed."""
        for fd in [fd for fd, (one, _) in self._by_fd.items() if one is end]:
            del self._by_fd[fd]
            if end.fd == fd:
                self._poll.unregister(fd)

    def close(self) -> None:
        """Close the poll object."""
        self._poll.close()

    def _register(self, end: End, fd: int, mask: int) -> None:
        known = self._by_fd.get(fd)
        if known is None:
            self._poll.register(fd, mask)
        elif known[1] != mask:
            self._poll.modify(fd, mask)
        else:
            return
        self._by_fd[fd] = (end, mask)
