"""Who has fallen silent: failure detection by missed pulses. No clock, no socket; time is an argument.

A peer is lost when nothing was heard of it for `missed` intervals. The one who looks may be late himself: his
machine was suspended, his processor busy, his loop in a long call. Then what the peers have sent waits unread, and
their silence says nothing. So the time by which a look came too late is given back to every peer.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["MISSED", "FailureDetector"]

MISSED = 5
"""So many pulses in a row must be missing."""

_SHORTEST, _LONGEST = 0.01, 0.05
"""Seconds between two looks, unless less precision is enough."""

Peer = TypeVar("Peer", bound=Hashable)


class FailureDetector(Generic[Peer]):
    """Records when each peer was last heard from.

    Call `watch` when a peer comes, `heard` when anything of it arrives, `forget` when it is gone otherwise. Call
    `look` every `period` seconds; it returns the peers that are lost, once each, and forgets them. `bound` is the
    longest silence that is allowed, `interval * missed + extra`. All times are in seconds of one monotonic clock.
    """

    def __init__(
        self, interval: float, *, missed: int = MISSED, extra: float = 0.0, longest: float = _LONGEST
    ) -> None:
        self.bound = interval * missed + extra
        self.period = max(_SHORTEST, min(longest, interval / 2))
        self._heard: dict[Peer, float] = {}
        self._looked: float | None = None

    def watch(self, peer: Peer, now: float) -> None:
        """Begin with a peer, or begin anew."""
        self._heard[peer] = now

    def heard(self, peer: Peer, at: float) -> None:
        """Something has arrived at that time; peers that are not watched are ignored."""
        if at > self._heard.get(peer, at):
            self._heard[peer] = at

    def forget(self, peer: Peer) -> None:
        """Stop watching a peer."""
        self._heard.pop(peer, None)

    def silence(self, peer: Peer, now: float) -> float:
        """Return the seconds of silence that count against a peer (0 when it is not watched)."""
        return max(0.0, now - self._heard.get(peer, now))

    def look(self, now: float) -> list[Peer]:
        """Return the lost peers. Call it every `period`; a late call extends all deadlines by its delay."""
        late = 0.0 if self._looked is None else now - self._looked - self.period
        self._looked = now
        if late > 0:
            for peer, at in self._heard.items():
                self._heard[peer] = min(now, at + late)
        lost = [peer for peer, at in self._heard.items() if now - at > self.bound]
        for peer in lost:
            del self._heard[peer]
        return lost
