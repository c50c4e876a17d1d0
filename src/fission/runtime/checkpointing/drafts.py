"""Drafts: states held in memory, of which one is stored once all receivers have released its round."""

from collections import deque

from fission.channel.ranges import Position

MOST = 32
"""The most drafts held; beyond it every second one is dropped, and the spacing is doubled."""


class Drafts:
    """`add` in the order of positions, at times `spacing` apart; `take` what can be a restart point now."""

    def __init__(self, spacing: float) -> None:
        self._least = spacing
        self._held: deque[tuple[Position, bytes]] = deque()
        self.spacing = spacing
        """Seconds that should lie between two of them."""

    @property
    def newest(self) -> Position:
        """The position of the latest, (0, 0) for none."""
        return self._held[-1][0] if self._held else (0, 0)

    def add(self, position: Position, state: bytes) -> None:
        """Hold a state."""
        self._held.append((position, state))
        if len(self._held) > MOST:
            self._held = deque(one for index, one in enumerate(self._held) if index % 2 == 0)
            self.spacing *= 2

    def ready(self, bound: Position) -> bool:
        """Whether there is a draft at or before this position."""
        return bool(self._held) and self._held[0][0] <= bound

    def take(self, bound: Position) -> tuple[Position, bytes] | None:
        """Return the latest draft at or before this position; drop it and all earlier ones."""
        latest = None
        while self.ready(bound):
            latest = self._held.popleft()
        if latest is not None and len(self._held) < MOST // 4:
            self.spacing = self._least
        return latest

    def clear(self) -> None:
        """Drop all drafts."""
        self._held.clear()
        self.spacing = self._least
