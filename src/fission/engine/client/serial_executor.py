"""Runs tasks one after the other within a lane, and lanes side by side."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]


class SerialExecutor:
    """`put` adds work to a lane; it starts when the previous work of that lane has ended, successfully or not.

    `failed` receives exceptions of the work. `cut` drops the lanes that a condition selects, including running work.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._waiting: dict[Hashable, deque[Work]] = {}
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    def put(self, lane: Hashable, work: Work) -> None:
        """Add work at the end of a lane."""
        self._waiting.setdefault(lane, deque()).append(work)
        if lane not in self._tasks:
            self._tasks[lane] = asyncio.create_task(self._drive(lane))

    def cut(self, which: Callable[[Any], bool]) -> None:
        """Drop the lanes for which `which(lane)` is true."""
        for lane in [lane for lane in self._tasks if which(lane)]:
            self._waiting.pop(lane, None)
            self._tasks.pop(lane).cancel()

    async def close(self) -> None:
        """Drop all lanes and wait until their work has ended."""
        tasks = list(self._tasks.values())
        self.cut(lambda _lane: True)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, lane: Hashable) -> None:
        waiting = self._waiting[lane]
        while waiting:
            work = waiting.popleft()
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - reported; the next work of the lane is independent
                self._failed(error)
        if self._tasks.get(lane) is asyncio.current_task():
            del self._tasks[lane], self._waiting[lane]
