"""A network that runs in a thread of its own: its streams, its events, its end."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from functools import partial
from pathlib import Path
from typing import Any

from fission.api.backends import Backend, Ended
from fission.api.background import LoopThread
from fission.api.events import EventLog
from fission.api.networks import readers_of, with_folder, with_streams
from fission.api.observer import HandleObserver
from fission.api.streams import BlockStream
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.engine.client.control_socket import Request
from fission.engine.host.scratch import scratch
from fission.engine.host.socket_folder import short_parent
from fission.errors import FissionError, RunError
from fission.runtime.sockets.descriptors import raise_descriptor_limit

__all__ = ["Session"]

_SCRATCH = "fission-api-"
_LOOK = 0.02
"""Seconds between two looks whether all jobs run."""


class Session:
    """Runs one network once: `start`, then wait for `ended`. Methods are for the thread of the program."""

    def __init__(self, network: Network, backend: Backend, *, folder: Path | None, quiet: bool) -> None:
        self.network = network
        self.events = EventLog()
        self.running: Future[None] = Future()
        """Done when every job runs, or the network has ended; its exception is what kept the network from starting."""
        self._backend = backend
        self._folder = folder
        self._quiet = quiet
        self._streams: tuple[BlockStream, ...] = ()
        self._thread = LoopThread(f"fission-{network.name}")

    @property
    def ended(self) -> "Future[Ended]":
        """Done when nothing of the network is left."""
        return self._thread.result

    def start(self, streams: Iterable[BlockStream]) -> None:
        """Start the network with these streams; return at once."""
        raise_descriptor_limit()
        self._streams = tuple(streams)
        self._thread.start(self._run)

    def interrupt(self) -> None:
        """Stop the network; a second call stops it by force."""
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            self._thread.post(self._backend.interrupt)

    def ask(self, request: Request) -> dict[str, Any]:
        """Return the answer to a request. Raises RunError when the network has ended, and with what it refuses."""
        return self._result(lambda: self._backend.answer(request))

    def reload_class(self, kind: type[BaseJob]) -> dict[str, Any]:
        """Give new code to the jobs of a class; raises RunError as `ask`."""
        return self._result(lambda: self._backend.reload_class(kind))

    def _result(self, call: Callable[[], Coroutine[Any, Any, Mapping[str, Any]]]) -> dict[str, Any]:
        if self.ended.done():
            raise RunError("the network has ended", where=f"network {self.network.name}")
        try:
            answering = asyncio.run_coroutine_threadsafe(call(), self._thread.loop)
            # a call that comes while the loop is being closed is never answered
            either: list[Future[Any]] = [answering, self.ended]
            wait(either, return_when=FIRST_COMPLETED)
            answer = dict(answering.result(timeout=0))
        except (RuntimeError, TimeoutError, CancelledError) as error:
            raise RunError("the network has ended", where=f"network {self.network.name}") from error
        if answer.get("errors"):
            raise RunError("; ".join(map(str, answer["errors"])), where=f"network {self.network.name}")
        return answer

    # -- in the thread of the loop -----------------------------------------------------------------------

    async def _run(self) -> Ended:
        error: BaseException | None = None
        try:
            ended = await self._run_in_folder()
            error = ended.error
        except BaseException as failure:
            error = failure
            raise
        else:
            return ended
        finally:
            for stream in self._streams:
                stream.end(error)
            self.events.close()
            if not self.running.done():
                if isinstance(error, FissionError | OSError):
                    self.running.set_exception(error)
                else:
                    self.running.set_result(None)

    async def _run_in_folder(self) -> Ended:
        with scratch(_SCRATCH, short_parent()) as folder:
            network = self.network
            if not network.folder:
                network = with_folder(network, self._folder or folder / network.name)
            sockets = folder / "s"
            sockets.mkdir()
            serving = [self._serve(stream, sockets) for stream in self._streams]
            for stream in self._streams:
                await stream.listening.wait()
            adapt = partial(with_streams, streams=self._streams, folder=sockets)
            network = adapt(network)
            observer = HandleObserver(network, self.events, quiet=self._quiet)
            watching = [
                asyncio.create_task(self._watch_start()),
                asyncio.create_task(self._watch_ends(readers_of(network))),
            ]
            try:
                return await self._backend.run(network, observer, adapt)
            finally:
                for task in (*watching, *serving):
                    task.cancel()
                await asyncio.gather(*watching, *serving, return_exceptions=True)

    def _serve(self, stream: BlockStream, folder: Path) -> "asyncio.Task[None]":
        return asyncio.create_task(stream.serve(os.fspath(folder / str(stream.pipe)), self._thread.post))

    async def _watch_start(self) -> None:
        while not self._backend.started:
            await asyncio.sleep(_LOOK)
        self.running.set_result(None)

    async def _watch_ends(self, readers: Mapping[int, int]) -> None:
        """End a stream whose sender has finished; one that was only stopped ends with the network, by its error."""
        waiting = set(self._streams)
        while waiting:
            await asyncio.sleep(_LOOK)
            for stream in [one for one in waiting if one.complete]:
                if self._backend.finished(readers[stream.pipe]):
                    stream.end(None)
                    waiting.remove(stream)
