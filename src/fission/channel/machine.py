"""A state machine whose rules are a table, and whose errors tell what happened before."""

from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import Generic, NoReturn, TypeVar

from fission.errors import LocalProtocolError, RemoteProtocolError

# IntEnum: the members of a plain Enum are hashed in Python, which costs more than the rest of a transition.
S = TypeVar("S", bound=IntEnum)
E = TypeVar("E", bound=IntEnum)

_REMEMBERED = 12


class Machine(Generic[S, E]):
    """Holds a state, moves by the table, remembers the last events.

    `local` are the events that our own side causes: one that the table does not know is our bug
    (LocalProtocolError). Every other event comes from the other side (RemoteProtocolError).
    """

    __slots__ = ("_events", "_local", "_table", "_where", "state")

    def __init__(self, where: str, state: S, table: Mapping[tuple[S, E], S], local: frozenset[E]) -> None:
        self.state = state
        self._where = where
        self._table = table
        self._local = local
        self._events: deque[tuple[S, E]] = deque(maxlen=_REMEMBERED)

    def fire(self, event: E) -> S:
        """Move to the next state and return it; raise when the table has no row for this event."""
        state = self.state
        self._events.append((state, event))
        after = self._table.get((state, event))
        if after is None:
            possible = ", ".join(e.name for (s, e) in self._table if s is state) or "nothing"
            error = LocalProtocolError if event in self._local else RemoteProtocolError
            raise error(
                f"{event.name} in state {state.name}",
                where=self._where,
                expected=possible,
                found=event.name,
                events=self.history(),
            )
        self.state = after
        return after

    def broken(self, what: str, *, expected: str = "", found: str = "") -> NoReturn:
        """The other side broke a rule that is not in the table: raise RemoteProtocolError."""
        raise RemoteProtocolError(
            what, where=self._where, expected=expected, found=found, events=self.history()
        )

    def misused(self, what: str, *, expected: str = "", found: str = "") -> NoReturn:
        """Our own side broke a rule that is not in the table: raise LocalProtocolError."""
        raise LocalProtocolError(
            what, where=self._where, expected=expected, found=found, events=self.history()
        )

    def history(self) -> tuple[str, ...]:
        """The last events, oldest first, each as `STATE < EVENT`."""
        return tuple(f"{state.name} < {event.name}" for state, event in self._events)
