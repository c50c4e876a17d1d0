"""Assigns transmissions to slots: SINR, half duplex, one datum per node and slot."""

from fission.planning.search.tables import Tables, members

__all__ = ["Sending", "Slot", "assign", "degrees"]

Sending = tuple[int, int, int]
"""Sender, block, mask of receivers."""


class Slot:
    """Transmissions that are valid together; `slack[y]` is the interference that receiver `y` still tolerates."""

    __slots__ = ("busy", "sendings", "slack")

    def __init__(self) -> None:
        self.busy = 0
        self.sendings: list[Sending] = []
        self.slack: dict[int, float] = {}

    def add(self, tables: Tables, sending: Sending) -> bool:
        """Add a transmission, or return False and leave the slot as it was."""
        sender, block, receivers = sending
        taken = receivers | 1 << sender
        if self.busy & taken:
            return False
        gain = tables.gain[sender]
        for y, left in self.slack.items():
            if left < gain[y]:
                return False
        budget = tables.budget[block][sender]
        fresh = {}
        for y in members(receivers):
            left = budget[y]
            for other in self.sendings:
                left -= tables.gain[other[0]][y]
            if left < 0.0:
                return False
            fresh[y] = left
        for y in self.slack:
            self.slack[y] -= gain[y]
        self.slack.update(fresh)
        self.busy |= taken
        self.sendings.append(sending)
        return True

    def remove_last(self, tables: Tables) -> None:
        """Undo the last `add`."""
        sender, _, receivers = self.sendings.pop()
        self.busy &= ~(receivers | 1 << sender)
        for y in members(receivers):
            del self.slack[y]
        gain = tables.gain[sender]
        for y in self.slack:
            self.slack[y] += gain[y]


def degrees(n: int, sendings: list[Sending]) -> list[int]:
    """Return for each node the number of transmissions that it sends or receives."""
    found = [0] * n
    for sender, _, receivers in sendings:
        found[sender] += 1
        for y in members(receivers):
            found[y] += 1
    return found


def assign(tables: Tables, sendings: list[Sending], slots: int, tries: int) -> list[list[Sending]] | None:
    """Return an assignment to at most `slots` slots, or None when a depth-first search with `tries` steps back finds none.

    The busiest transmissions come first. When all of a transmission fits nowhere, it may be split among its receivers.
    """
    degree = degrees(tables.n, sendings)
    if max(degree, default=0) > slots:
        return None

    def business(sending: Sending) -> int:
        return degree[sending[0]] + max(degree[y] for y in members(sending[2]))

    ordered = sorted(sendings, key=lambda one: (-business(one), -one[2].bit_count(), one))
    return _Assignment(tables, ordered, slots, tries).found()


class _Assignment:
    def __init__(self, tables: Tables, ordered: list[Sending], slots: int, tries: int) -> None:
        self._tables = tables
        self._slots = [Slot() for _ in range(slots)]
        self._tries = tries
        self._ordered = ordered

    def found(self) -> list[list[Sending]] | None:
        if not self._place(0, self._ordered):
            return None
        return [list(slot.sendings) for slot in self._slots if slot.sendings]

    def _place(self, index: int, todo: list[Sending]) -> bool:
        if index == len(todo):
            return True
        tables = self._tables
        sending = todo[index]
        for slot in self._slots:
            empty = not slot.sendings
            if slot.add(tables, sending):
                if self._place(index + 1, todo):
                    return True
                slot.remove_last(tables)
                self._tries -= 1
                if self._tries <= 0:
                    return False
            if empty:  # all empty slots are alike
                break
        if sending[2].bit_count() > 1:
            return self._split(index, todo)
        return False

    def _split(self, index: int, todo: list[Sending]) -> bool:
        """Send the same data twice: first to as many receivers as one slot allows, then to the others."""
        tables = self._tables
        sender, block, receivers = todo[index]
        for slot in self._slots:
            part = 0
            for y in members(receivers):
                if slot.add(tables, (sender, block, part | 1 << y)):
                    part |= 1 << y
                    slot.remove_last(tables)
            if part and part != receivers:
                slot.add(tables, (sender, block, part))
                rest = (sender, block, receivers & ~part)
                if self._place(index + 1, [*todo[: index + 1], rest, *todo[index + 1 :]]):
                    return True
                slot.remove_last(tables)
                self._tries -= 1
            if self._tries <= 0 or not slot.sendings:
                return False
        return False
