"""Shares one tap of each watched pipe among its watchers, and keeps it at the process that sends on the pipe.

An order for a tap ends by itself after a few seconds, and is repeated while somebody watches. So the tap ends when a client or a
watcher is lost, and after a failover or a move the new process gets the next order.
"""

import asyncio
import base64
import json
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from fission.core.network import Network
from fission.monitor.token_bucket import TokenBucket
from fission.runtime.messages import MOST_TAP_RATE, TAP_TEXT, Tap, TapBlock

REPEAT_SECONDS = 0.5
"""Seconds between two orders."""

TAP_SECONDS = 2.0
"""Seconds after the last order until a job process shows nothing any more."""

MOST_WATCHERS = 64
MOST_QUEUED = 64
"""Blocks that wait for one watcher; older ones are dropped."""

MOST_SIZE_RATE = float(8 << 20)
"""Most bytes per second of a watcher."""

Item = Mapping[str, Any]


@dataclass(eq=False, slots=True)
class _Watcher:
    pipe: int
    rate: float
    size_rate: float
    text: int
    raw: bool
    blocks: deque[Item] = field(default_factory=lambda: deque(maxlen=MOST_QUEUED))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    over: str = ""
    bucket: TokenBucket = field(init=False)

    def __post_init__(self) -> None:
        # a watcher of its own rate gets all of a tap that is somewhat irregular
        self.bucket = TokenBucket(self.rate, max(2.0, self.rate / 4))


class PipeTaps:
    """`async for item in watch(...)` describes blocks of a pipe; `receive` takes what its sender shows.

    `order(job, tap)` sends an order to the process of a job, if it runs; it returns False when no more blocks will come.

    An item is plain data: `pipe`, `job` (its sender), `incarnation`, `epoch`, `number`, `size` (bytes of the block), `time` (Unix
    time in seconds at the sender), and `array` (`dtype`, `shape`, `minimum`, `maximum`, `mean`, `rms`, `sampled`), or `value`
    (JSON), or `text` (the repr, perhaps cut). With `raw` it has `payload`, the bytes in Base64, if they are at most `RAW_LIMIT`.
    The last item may be `{"end": why}`; the only one of a pipe that cannot be watched is `{"errors": [why]}`.
    """

    def __init__(self, network: Network, order: Callable[[int, Tap], bool]) -> None:
        edges = [edge for job in network.jobs for edge in network.inputs_of(job.id)]
        self._sources = {edge.pipe.id: edge.source for edge in edges}
        self._names = {job.id: job.name for job in network.jobs}
        self._order = order
        self._watchers: list[_Watcher] = []
        self._repeating: dict[int, asyncio.Task[None]] = {}

    async def watch(
        self, pipe: int, *, rate: float, size_rate: float, text: int, raw: bool
    ) -> AsyncGenerator[Item]:
        """Yield items at most at these rates until the sender has ended; close the generator to end the tap."""
        if problem := self._problem(pipe, rate, size_rate):
            yield {"errors": [problem]}
            return
        watcher = _Watcher(
            pipe,
            min(rate, MOST_TAP_RATE),
            min(size_rate, MOST_SIZE_RATE),
            min(max(text, 0), TAP_TEXT),
            raw,
        )
        self._watchers.append(watcher)
        try:
            self._send(pipe)
            if pipe not in self._repeating:
                self._repeating[pipe] = asyncio.create_task(self._repeat(pipe))
            while True:
                while watcher.blocks:
                    yield watcher.blocks.popleft()
                if watcher.over:
                    yield {"end": watcher.over}
                    return
                watcher.arrived.clear()
                await watcher.arrived.wait()
        finally:
            self._watchers.remove(watcher)
            if not self._of(pipe) and pipe in self._repeating:
                self._repeating.pop(pipe).cancel()

    def receive(self, job: int, incarnation: int, block: TapBlock) -> None:
        """Give a block to those who watch its pipe."""
        if self._sources.get(block.pipe) != job:
            return
        now = monotonic()
        for watcher in self._of(block.pipe):
            if watcher.bucket.take(1.0, now):
                watcher.blocks.append({"job": self._names[job], **_item(block, incarnation, watcher)})
                watcher.arrived.set()

    # -- inside ------------------------------------------------------------------------------------------

    def _problem(self, pipe: int, rate: float, size_rate: float) -> str:
        if pipe not in self._sources:
            known = sorted(self._sources)
            some = ", ".join(map(str, known[:20])) + (", ..." if len(known) > 20 else "")
            return f"there is no pipe {pipe}; expected one of {some}" if known else "there are no pipes"
        if not (math.isfinite(rate) and rate > 0 and math.isfinite(size_rate) and size_rate > 0):
            return "the rates of a tap must be positive numbers"
        if len(self._watchers) >= MOST_WATCHERS:
            return f"{MOST_WATCHERS} watchers are the most"
        return ""

    def _of(self, pipe: int) -> list[_Watcher]:
        return [one for one in self._watchers if one.pipe == pipe]

    def _send(self, pipe: int) -> None:
        """Order what the watchers of a pipe want, together."""
        watchers = self._of(pipe)
        order = Tap(
            pipe,
            rate=max(one.rate for one in watchers),
            size_rate=max(one.size_rate for one in watchers),
            text=max(one.text for one in watchers),
            raw=any(one.raw for one in watchers),
            seconds=TAP_SECONDS,
        )
        if not self._order(self._sources[pipe], order):
            for one in watchers:
                one.over = f"{self._names[self._sources[pipe]]} has ended"
                one.arrived.set()

    async def _repeat(self, pipe: int) -> None:
        while True:
            await asyncio.sleep(REPEAT_SECONDS)
            self._send(pipe)


def _item(block: TapBlock, incarnation: int, watcher: _Watcher) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pipe": block.pipe,
        "incarnation": incarnation,
        "epoch": block.epoch,
        "number": block.number,
        "size": block.size,
        "time": block.time,
    }
    if block.array is not None:
        array = block.array
        numbers = {name: _finite(getattr(array, name)) for name in ("minimum", "maximum", "mean", "rms")}
        item["array"] = {
            "dtype": array.dtype,
            "shape": list(array.shape),
            **numbers,
            "sampled": array.sampled,
        }
    elif block.is_json and len(block.text) <= watcher.text and (found := _parsed(block.text)):
        item["value"] = found[0]
    else:
        # surrogates cannot be sent as JSON in UTF-8
        text = block.text.encode("utf-8", "backslashreplace").decode()
        item["text"] = text if len(text) <= watcher.text else text[: max(0, watcher.text - 3)] + "..."
    if watcher.raw and (block.payload or not block.size):
        item["payload"] = base64.b64encode(block.payload).decode()
    return item


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _parsed(text: str) -> list[Any]:
    """Return the value in a list; an empty one for a text that was cut."""
    try:
        return [json.loads(text, parse_constant=lambda _name: None)]
    except (ValueError, RecursionError):
        return []
