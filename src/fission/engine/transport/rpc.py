"""Requests, answers and posts over one message stream. Both ends may send requests.

| op      | fields                       | meaning                                                     |
|---------|------------------------------|-------------------------------------------------------------|
| request | number, operation, arguments | asks the peer for an operation; `number` names the request  |
| answer  | number, value or error       | the result of a request, in any order                       |
| post    | topic, data                  | a message without an answer; posts arrive in order          |

Large requests and answers may be overtaken by other messages (`framing.Lane.BULK`).
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.transport.stream import MessageStream, StreamClosed
from fission.errors import FissionError, RunError

__all__ = ["RequestHandler", "RpcConnection"]

logger = logging.getLogger(__name__)

_TURN = 100
"""Messages that are delivered before other tasks run: a message that has arrived already does not suspend the reader."""
_LONGEST_ERROR = 16 << 10
"""Characters of an error text that are sent or accepted."""

RequestHandler = Callable[[str, Mapping[str, Plain]], Awaitable[Plain]]
"""`await handler(operation, arguments)` returns the answer. The text of a FissionError that it raises is the answer's error."""


class RpcConnection:
    """Requests, answers and posts over `stream`, which is trusted from now on. Run `serve()` as a task.

    `handler` is called for each request of the peer, in the order of their arrival; a slow one does not delay the next.
    `posted(topic, data)` is called for each post, and must not raise. Without them the peer may send no requests, or no
    posts. `peer` names the peer in errors.

    `running` holds the tasks of the peer's requests. They outlive the connection: their effects are wanted even when
    their answers are not. Several connections may share one set; the caller awaits or cancels the tasks.
    """

    def __init__(
        self,
        stream: MessageStream,
        peer: str,
        *,
        handler: RequestHandler | None = None,
        posted: Callable[[str, Plain], None] | None = None,
        running: set[asyncio.Task[None]] | None = None,
    ) -> None:
        stream.trust()
        self.stream = stream
        self.peer = peer
        self.running = set() if running is None else running
        self._handler = handler
        self._posted = posted
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Plain]] = {}
        self._over = False

    async def serve(self) -> None:
        """Deliver messages until the connection ends; then fail the requests that have no answer."""
        try:
            for count in itertools.count(1):
                if count % _TURN == 0:
                    await asyncio.sleep(0)
                message = await self.stream.receive()
                if self._over:
                    break
                self._deliver(message)
        except StreamClosed:
            pass
        finally:
            self.abort("this side has closed the connection")

    async def request(self, operation: str, arguments: Mapping[str, Plain], timeout: float) -> Plain:
        """Return the peer's answer. Raises LinkError."""
        if self._over:
            raise self._gone()
        number = next(self._numbers)
        answer: asyncio.Future[Plain] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        message = {"op": "request", "number": number, "operation": operation, "arguments": dict(arguments)}
        try:
            self.stream.send(message, bulk=True)
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise LinkError(f"no answer to {operation!r} within {timeout:g} s", where=self.peer) from None
        except LinkError:
            raise
        except RunError as error:
            raise LinkError(f"{operation!r} was not sent: {error}", where=self.peer) from None
        finally:
            self._pending.pop(number, None)

    def post(self, topic: str, data: Plain) -> None:
        """Send a post; it is dropped when the connection has ended. Raises RunError for data that is not plain."""
        with contextlib.suppress(StreamClosed):
            self.stream.send({"op": "post", "topic": topic, "data": data})

    def abort(self, reason: str) -> None:
        """Close the connection at once. Nothing is delivered afterwards; requests without an answer fail."""
        self._over = True
        self.stream.abort(reason)
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(self._gone())

    def _gone(self) -> LinkError:
        return LinkError(f"is gone ({self.stream.reason})", where=self.peer)

    def _deliver(self, message: Any) -> None:
        match message:
            case {"op": "answer", "number": int(number), "error": str(error), **rest} if not rest:
                self._settle(number, error=error)
            case {"op": "answer", "number": int(number), "value": value, **rest} if not rest:
                self._settle(number, value)
            case {"op": "post", "topic": str(topic), "data": data, **rest} if self._posted and not rest:
                self._posted(topic, data)
            case {
                "op": "request",
                "number": int(number),
                "operation": str(operation),
                "arguments": dict(arguments),
                **rest,
            } if self._handler and not rest:
                task = asyncio.get_running_loop().create_task(
                    self._answer(self._handler, number, operation, arguments)
                )
                self.running.add(task)
                task.add_done_callback(self.running.discard)
            case _:
                self.stream.abort(
                    f"the peer sends a message that this side does not understand ({_describe(message)})"
                )

    def _settle(self, number: int, value: Plain = None, error: str | None = None) -> None:
        answer = self._pending.get(number)
        if answer is None or answer.done():
            return  # it arrives after the time-out of its request
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(LinkError(error[:_LONGEST_ERROR]))

    async def _answer(
        self, handler: RequestHandler, number: int, operation: str, arguments: Mapping[str, Plain]
    ) -> None:
        with contextlib.suppress(StreamClosed):
            try:
                value = await handler(operation, arguments)
                self.stream.send({"op": "answer", "number": number, "value": value}, bulk=True)
            except StreamClosed:
                raise
            except FissionError as error:
                self._refuse(number, str(error))
            except Exception as error:
                logger.exception("a bug: request %r of %s has failed", operation, self.peer)
                text = " ".join(str(error).split())
                self._refuse(number, f"a bug in the peer: {type(error).__name__}: {text}")

    def _refuse(self, number: int, error: str) -> None:
        self.stream.send({"op": "answer", "number": number, "error": error[:_LONGEST_ERROR]})


def _describe(message: object) -> str:
    """Describe a message of any size in a few words."""
    op = message.get("op") if isinstance(message, dict) else None
    return f"op {op[:20]!r}" if isinstance(op, str) else type(message).__name__
