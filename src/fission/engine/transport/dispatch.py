"""Delivers the messages of a connection to their handlers."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fission.engine.transport.stream import MessageStream, StreamClosed

__all__ = ["Handler", "dispatch"]

_TURN = 100
"""Messages after which other tasks run: reading messages that have arrived already does not suspend the task."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What is called for one kind of message, and the types of its fields; those in `optional` may be missing."""

    call: Callable[..., None]
    fields: Mapping[str, type]
    optional: Mapping[str, type] = field(default_factory=dict)

    def problem(self, given: Mapping[str, Any]) -> str:
        """Return why the fields of a message are not those of this handler; "" if they are."""
        known = {**self.fields, **self.optional}
        for name, value in given.items():
            if name not in known:
                return f"field {name[:40]!r}"
            if not isinstance(value, known[name]):
                return f"a {type(value).__name__} as {name}"
        missing = self.fields.keys() - given.keys()
        return f"no field {min(missing)!r}" if missing else ""


async def dispatch(stream: MessageStream, handlers: Mapping[str, Handler]) -> None:
    """Call the handler of each message with its fields, `op` apart, until the connection ends.

    A message without a handler, or with other fields than its handler takes, closes the connection. Raises nothing for
    what the peer sends; an exception of a handler passes through.
    """
    for count in itertools.count(1):
        if count % _TURN == 0:
            await asyncio.sleep(0)
        try:
            message = await stream.receive()
        except StreamClosed:
            return
        problem, handler, fields = _matched(message, handlers)
        if handler is None:
            stream.abort(f"the peer sends what this side does not understand ({problem})")
            return
        handler.call(**fields)


def _matched(message: Any, handlers: Mapping[str, Handler]) -> tuple[str, Handler | None, dict[str, Any]]:
    """Return the handler of a message and its fields, or why there is none."""
    if not isinstance(message, dict) or not all(isinstance(name, str) for name in message):
        return f"a {type(message).__name__}", None, {}
    fields = dict(message)
    op = fields.pop("op", None)
    if not isinstance(op, str) or op not in handlers:
        return f"op {str(op)[:40]!r}", None, {}
    problem = handlers[op].problem(fields)
    return (problem, None, {}) if problem else ("", handlers[op], fields)
