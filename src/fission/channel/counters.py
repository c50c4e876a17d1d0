"""What happened at one end of a pipe, in plain numbers."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class PipeCounters:
    """Counters of one end of one pipe since its creation. The code that performs an action counts it, by plain `+=`.

    The unit is blocks unless stated otherwise. Nothing is lost without a count: what a sender wrote is
    delivered, waits, or is found in `dropped`, `late` or `duplicates`.
    """

    sent: int = 0
    """Blocks handed to a connection for the first time."""
    delivered: int = 0
    """Blocks passed on to the job, each once and in order."""
    replayed: int = 0
    """Blocks handed to a connection again, because a receiver asked for them."""
    duplicates: int = 0
    """Blocks that arrived although they had been delivered before."""
    dropped: int = 0
    """Blocks given up because a live pipe, or a mailbox, was full."""
    late: int = 0
    """Blocks that arrived when their place had been taken: by a dummy, or by a newer epoch."""
    dummies: int = 0
    """Dummies that stood in for missing blocks."""
    bytes: int = 0
    """Payload bytes sent, or received."""
    queued: int = 0
    """Blocks that wait now."""
    lag: float = 0.0
    """Seconds that the newest block was on its way."""

    def as_dict(self) -> dict[str, float]:
        """Return all counters by name, for a report."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = tuple(field.name for field in fields(PipeCounters))
