"""An event loop in a thread of its own, in which a network runs while the program does something else."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

__all__ = ["LoopThread"]


class LoopThread:
    """Runs `main` in a new event loop; `result` is its outcome, and is there when the thread has ended its work."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.result: Future[Any] = Future()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._main: Callable[[], Coroutine[Any, Any, Any]] | None = None

    def start(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Start the thread."""
        self._main = main
        try:
            self._thread.start()
        except BaseException as error:  # no more threads, or Ctrl+C: nothing has begun
            self.result.set_exception(error)
            raise

    def post(self, function: Callable[[], object]) -> None:
        """Call a function soon in the thread of the loop. Raises RuntimeError when the loop has ended."""
        self.loop.call_soon_threadsafe(function)

    def _serve(self) -> None:
        assert self._main is not None  # noqa: S101 - `start` has set it
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                value = runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it belongs to the holder of the handle
            self.result.set_exception(error)
        else:
            self.result.set_result(value)
