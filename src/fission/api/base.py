"""What the synchronous and the asynchronous handle have in common: the start, the end and the operations, which block."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from fission.api.backends import Ended
from fission.api.events import Event
from fission.api.exit import forget, stop_at_exit
from fission.api.networks import free_outputs
from fission.api.session import Session
from fission.api.streams import BUFFER, BlockStream
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.core.nodes import BaseNode
from fission.engine.client.control_socket import (
    DrainRequest,
    MoveRequest,
    ProcessesRequest,
    RebalanceRequest,
    ReloadRequest,
    StatusRequest,
)
from fission.errors import NetworkError, RunError, UserError
from fission.monitor import NetworkView
from fission.project.suggest import did_you_mean, listed

if TYPE_CHECKING:
    from fission.api.live_view import LiveView

__all__ = ["BaseHandle", "Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """How a network has ended: `finished` by itself or stopped, after so many seconds, with the rounds of each job by name."""

    finished: bool
    seconds: float
    rounds: Mapping[str, int]


class BaseHandle:
    """A network that runs in the background of this program.

    Methods raise RunError before the start and after the end, unless they say something else.
    """

    def __init__(
        self, network: Network, make: Callable[[], Session], *, pipes: Mapping[int, BlockStream]
    ) -> None:
        self.network = network
        self._make = make
        self._streams = dict(pipes)
        self._session: Session | None = None

    # -- start and end -----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the network; return when all its jobs run. Raises FissionError when it cannot start."""
        if self._session is not None:
            raise UserError("the network was started already", where=f"network {self.network.name}")
        for pipe in free_outputs(self.network):
            self._streams.setdefault(pipe.id, BlockStream(pipe.id))
        self._session = session = self._make()
        stop_at_exit(self)
        session.ended.add_done_callback(lambda _ended: forget(self))
        try:
            session.start(self._streams.values())
            session.running.result()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the network and wait for its end; Ctrl+C meanwhile stops it by force. Does nothing before the start."""
        if self._session is None:
            return
        try:
            if not self._session.ended.done():
                self._session.interrupt()
            self._session.ended.exception()
        except KeyboardInterrupt:
            self._session.interrupt()
            self._session.ended.exception()
            raise

    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the end of the network, which is started if need be, and return how it ended.

        Blocks of pipes that the program has not asked for are discarded meanwhile. Raises the error that has ended the
        network, and TimeoutError when it goes on after `timeout` seconds. Without a `with` block, Ctrl+C stops it.
        """
        alone = self._session is None
        try:
            if alone:
                self.start()
            self._discard_unread()
            return _result(self._begun().ended.result(timeout))
        except TimeoutError:
            raise
        except BaseException:
            if alone:
                self.stop()
            raise

    def leave(self, *, failed: bool) -> None:
        """Stop at the end of a block; raise the error that has ended the network unless the block has `failed` itself."""
        self.stop()
        error = self.failure()
        if error is not None and not failed:
            raise error

    @property
    def running(self) -> bool:
        """Whether the network was started and has not ended."""
        return self._session is not None and not self._session.ended.done()

    # -- what it does ------------------------------------------------------------------------------------

    def status(self) -> NetworkView:
        """Return what runs where, with counters; a notebook shows it as tables."""
        return NetworkView.from_plain(self._begun().ask(StatusRequest())["network"])

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return `host`, `pid` and `jobs`, the processes by the ids of the jobs, of each node and of "client", this machine."""
        found: dict[str, dict[str, Any]] = self._begun().ask(ProcessesRequest())["processes"]
        return found

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield what has happened and what happens, until the network ends, or for `timeout` seconds nothing does."""
        return self._begun().events.follow(timeout)

    def logs(
        self, job: str | int | type[BaseJob] | None = None, *, level: int = logging.DEBUG
    ) -> list[Event]:
        """Return the newest lines of a job, or of all, from this level of the module `logging` on; also after the end."""
        name = None if job is None else self.network.job(self._job(job)).name
        return [
            event
            for event in self._begun().events.newest()
            if event.level >= level and name in (None, event.job)
        ]

    def pipe(
        self, id: int, *, latest: bool = False, buffer: int = BUFFER, as_arrays: bool = False
    ) -> BlockStream:
        """Return the blocks of a pipe, for a `for` loop; see `BlockStream`.

        A pipe that no job reads can be asked for at any time, and its first block is the first of the stream. One that a job
        reads must be asked for before the start, here or with `pipes=[...]`. Raises NetworkError for other pipes.
        """
        if buffer < 1:
            raise UserError("wrong buffer", where=f"pipe {id}", expected="1 block or more", found=str(buffer))
        stream = self._streams.get(id)
        if stream is None:
            self._require_readable(id)
            stream = self._streams[id] = BlockStream(id)
        if self._session is None:
            stream.configure(latest=latest, buffer=buffer)
        elif latest != stream.latest:
            raise NetworkError(
                "whether only the latest blocks are wanted must be known before the start",
                where=f"pipe {id}",
                hint=f"Call pipe({id}, latest={latest}) before the network is started",
            )
        elif not stream.read and stream.closed:
            raise NetworkError(
                "its blocks were discarded, as nobody had asked for them when the program waited",
                where=f"pipe {id}",
                hint=f"Call pipe({id}) before wait()",
            )
        stream.read, stream.as_arrays = True, as_arrays
        return stream

    # -- operations --------------------------------------------------------------------------------------

    def move(self, job: str | int | type[BaseJob], node: str | BaseNode = "") -> None:
        """Move a job, by its name, id or class, to a node; "" for the best one. Raises RunError when it is refused."""
        self._begun().ask(MoveRequest(self._job(job), _address(node)))

    def drain(self, node: str | BaseNode, *, undo: bool = False) -> None:
        """Move all jobs away from a node, which takes no new ones; `undo` lets it take jobs again."""
        self._begun().ask(DrainRequest(_address(node), undo))

    def rebalance(self) -> None:
        """Move the jobs to where they would be placed now."""
        self._begun().ask(RebalanceRequest())

    def reload(self, kind: type[BaseJob] | None = None) -> list[str]:
        """Give new code to jobs while the network runs, without loss; return what has become of each.

        `kind` takes the place of the class with the same name; without it a project's network reads its files again, and
        restarts the jobs that use changed ones. A job whose new code fails before its first round goes on with the old
        one. Raises RunError with the reason then.
        """
        session = self._begun()
        answer = session.ask(ReloadRequest(0)) if kind is None else session.reload_class(kind)
        return [str(line) for line in answer["lines"]]

    def watch(self, *, interval: float = 1.0, seconds: float | None = None) -> "LiveView":
        """Show the network in a cell of a notebook, and update it until it ends; see `fission.notebook.watch`."""
        from fission.api.live_view import LiveView  # noqa: PLC0415 - only notebooks need it

        return LiveView(self.network, self._look, interval=interval, seconds=seconds)

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        if not self.running:
            return f"<p>{self!r}</p>"
        return self.status()._repr_html_()

    def __repr__(self) -> str:
        state = "not started" if self._session is None else "running" if self.running else "ended"
        return f"<network {self.network.name}: {state}>"

    # -- inside ------------------------------------------------------------------------------------------

    def _begun(self) -> Session:
        if self._session is None:
            raise RunError(
                "the network was not started",
                where=f"network {self.network.name}",
                hint="Use it in a `with` block, or call start()",
            )
        return self._session

    def _require_readable(self, id: int) -> None:
        """Raise NetworkError unless the blocks of a pipe can still be read: there must be such a pipe, and it may need a copy."""
        if id in {pipe.id for pipe in free_outputs(self.network)}:
            return
        edge = self.network.edge(id)
        if self._session is not None:
            raise NetworkError(
                "the pipe was not asked for before the start",
                where=f"pipe {id}",
                found=f"{self.network.job(edge.destination).name} reads it",
                hint=f"Name it at the start: pipes=[{id}]",
            )

    def _look(self) -> dict[str, Any] | None:
        """Return the state as plain data; None after the end."""
        if not self.running:
            return None
        try:
            return self.status().plain()
        except RunError:
            return None

    def failure(self) -> BaseException | None:
        """Return the error that has ended the network, if there is one."""
        if self._session is None or not self._session.ended.done():
            return None
        return self._session.ended.exception() or self._session.ended.result().error

    def _discard_unread(self) -> None:
        for stream in self._streams.values():
            if not stream.read:
                stream.close()

    def _job(self, job: str | int | type[BaseJob]) -> int:
        """Return the id of a job. Raises NetworkError when there is none, or more than one."""
        if isinstance(job, int):
            return self.network.job(job).id
        wanted = job if isinstance(job, str) else job.__name__
        found = [one for one in self.network.jobs if wanted in (one.name, type(one).__name__)]
        if len(found) == 1:
            return found[0].id
        names = [one.name for one in self.network.jobs]
        raise NetworkError(
            "several jobs have this name" if found else "no such job",
            where=f"network {self.network.name}",
            found=wanted,
            hint=f"There are {listed(one.name for one in found)}" if found else did_you_mean(wanted, names),
        )


def _address(node: str | BaseNode) -> str:
    return node.ip if isinstance(node, BaseNode) else node


def _result(ended: Ended) -> Result:
    if ended.error is not None:
        raise ended.error
    return Result(ended.finished, ended.seconds, {one.name: one.rounds for one in ended.jobs.values()})
