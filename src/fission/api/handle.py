"""The handle of a network that a program runs."""

from types import TracebackType
from typing import Self

from fission.api.async_handle import AsyncHandle
from fission.api.base import BaseHandle

__all__ = ["Handle"]


class Handle(BaseHandle):
    """A network that runs in the background of this program: made by `simulate` and `run`.

    A context manager: the network starts at the beginning of the block, and all of it has ended at the end, by an exception and
    Ctrl+C as well. `async with` gives an `AsyncHandle`. Methods raise RunError before the start and after the end,
    unless they say something else.
    """

    _async: AsyncHandle

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave(failed=kind is not None)

    async def __aenter__(self) -> AsyncHandle:
        self._async = AsyncHandle(self)
        await self._async.start()
        return self._async

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._async.leave(failed=kind is not None)
