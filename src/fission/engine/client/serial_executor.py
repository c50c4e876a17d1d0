"""Tasks that must run one after the other, in several lanes side by side."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]


class SerialExecutor:
    """`put` work into a lane: it begins when the work before it in the same lane has ended, whatever became of that.

    `failed` gets what a piece of work raised. `cut` drops all lanes that a condition names, also what runs in them.
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
        """Drop everything and wait until it has ended."""
        tasks = list(self._tasks.values())
        self.cut(lambda _lane: True)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, lane: Hashable) -> None:
        waiting = self._waiting[lane]
        while waiting:
            work = waiting.popleft()
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - told; the next piece of work has its own chance
                self._failed(error)
        if self._tasks.get(lane) is asyncio.current_task():
            del self._tasks[lane], self._waiting[lane]
