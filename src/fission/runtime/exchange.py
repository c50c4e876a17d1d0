"""Moves blocks between one job and its neighbors: the only place of a job process that touches data sockets.

Who pumps. The job's own thread pumps whenever it is in here: when it waits for a round, and between rounds.
While it is in user code for long, the I/O thread pumps instead (`IoThread`). One lock keeps them apart; the
job's thread never waits for another thread to move a lone block, which is what keeps latency low.
"""

import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import monotonic, time

from fission.channel.frames import Buffer, Frame, Hello, Refuse, encode_control
from fission.channel.join import Join, Stretch
from fission.channel.ledger import Ledger
from fission.errors import ChannelError
from fission.runtime import transport
from fission.runtime.connection import Connection
from fission.runtime.ports import InPort, OutPort

SLICE = 0.0002
"""Seconds that a block may wait for others to leave with it while the job is busy computing more."""

REPORT_INTERVAL = 0.5
"""Seconds between two status reports."""

_READ = select.POLLIN
_WRITE = select.POLLOUT
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL
_RETRY_FIRST, _RETRY_MOST = 0.005, 0.5


class Exchange:
    """Use from the job's thread: `next_stretch`, `append` to a port's pending, `service`, at last `finish`.

    `log` is called with (level, text) for what a person may want to know, `report` about twice a second.
    """

    def __init__(
        self,
        inputs: Sequence[InPort],
        outputs: Sequence[OutPort],
        *,
        join: Join | None,
        ledger: Ledger,
        listener: socket.socket,
        log: Callable[[int, str], None],
        report: Callable[[], None],
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.lock = threading.Lock()
        self.serviced_at = monotonic()
        self.waiting = False
        self._handed_over = False  # since the last `pump`
        self.parked = False  # the I/O thread sleeps until `unpark` is set
        self.unpark = threading.Event()
        self.progress = (1, 0)  # epoch and number of the last complete round; the loop sets it
        self.news = 0  # blocks that have come into mailboxes
        self._join = join
        self._ledger = ledger
        self._listener = listener
        self._log = log
        self._report = report
        self._report_at = self.serviced_at + REPORT_INTERVAL
        self._joined = [port for port in self.inputs if port.mailbox is None]
        self._by_pipe = {port.pipe.id: port for port in self.inputs}
        self._backing = [
            port for port in self.outputs if not port.pipe.ASYNC and port.pipe.DELIVERY == "exact"
        ]
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._watched: dict[int, int] = {}
        self._finishing = False
        self.unwanted = False  # there are outputs, and none of their receivers wants anything more
        self.watch(listener.fileno(), lambda _event: self._accept())

    # -- what the job's thread calls ---------------------------------------------------------------------

    def next_stretch(self) -> Stretch | None:
        """Wait for rounds that can be computed; None when the inputs have ended."""
        join = self._join
        if join is None:
            return None
        with self.lock:
            self.hand_over()
            while not self.writable:
                self._wait(None)
            while (stretch := join.take(monotonic())) is None:
                if join.finished or self.unwanted:
                    return None
                self._wait(join.deadline())
            self._resume(join)
            self._leave()
            return stretch

    def wait_for_news(self, seen: int) -> bool:
        """Wait until a mailbox has got a block since `news` was `seen`; False when all inputs have ended."""
        with self.lock:
            self.hand_over()
            while self.news == seen:
                if all(port.ended for port in self.inputs) or self.unwanted:
                    return False
                self._wait(None)
            self._leave()
            return True

    def set_head(self, port: OutPort, head: int) -> None:
        """Let the blocks that are appended from now on travel with this head."""
        if head != port.head:
            with self.lock:
                self._write_pending(port)
                port.head = head

    def begin_epoch(self, epoch: int) -> None:
        """Number the outputs from 1 again, in a new epoch."""
        with self.lock:
            for port in self.outputs:
                self._write_pending(port)
                port.sender.reset(epoch)

    def service(self) -> float:
        """Call between rounds, at the latest at the time that the last call returned, with `progress` set.

        Sends what is pending, takes in what has come, waits while an output is full. Returns the monotonic
        time at which to call again.
        """
        with self.lock:
            self.hand_over()
            if self.pump(0.0):
                self.hand_over()
            self.report_if_due()
            while not self.writable:
                self._wait(None)
            self._leave()
        return self.serviced_at + SLICE

    def finish(self) -> None:
        """End all outputs and wait until everything sent has been worked off downstream."""
        with self.lock:
            self._finishing = True
            for in_port in self.inputs:
                if in_port.mailbox is not None:  # never replayed; and a loop must not wait for itself
                    in_port.receiver.done()
            for port in self.outputs:
                self._write_pending(port)
                port.sender.finish()
            self.hand_over()
            while not all(port.finished for port in self.outputs):
                self._wait(None)
            for in_port in self._joined:  # not earlier: until now a successor of ours would have needed them
                in_port.receiver.done()
            self.hand_over()
            while any(p.connection is not None and p.connection.backlog for p in self.inputs):
                self._wait(None)

    @property
    def writable(self) -> bool:
        """Whether every output can take more blocks."""
        for port in self.outputs:  # noqa: SIM110 - a generator costs as much as all of this, for every lone block
            if not port.sender.writable and not port.done:
                return False
        return True

    # -- routes and watches ------------------------------------------------------------------------------

    def route(self, pipe: int, address: str) -> None:
        """The receiver of output `pipe` listens at `address` (caller holds the lock)."""
        for port in self.outputs:
            if port.pipe.id == pipe:
                port.address = address
                port.retry_at = 0.0
                port.retries = 0

    def receiver_gone(self, pipe: int) -> None:
        """The job that receives output `pipe` has finished (caller holds the lock)."""
        for port in self.outputs:
            if port.pipe.id == pipe:
                port.address = None
                self._set_done(port)

    def _set_done(self, port: OutPort) -> None:
        port.done = True
        self.unwanted = all(one.done for one in self.outputs)

    def watch(self, fd: int, handler: Callable[[int], None], mask: int = _READ) -> None:
        """Call `handler(events)` from `pump` when `fd` is ready."""
        self._handlers[fd] = handler
        self._watched[fd] = mask
        self._poll.register(fd, mask)

    def unwatch(self, fd: int) -> None:
        """Forget `fd`."""
        if self._handlers.pop(fd, None) is not None:
            del self._watched[fd]
            self._poll.unregister(fd)

    # -- the pump ----------------------------------------------------------------------------------------

    def pump(self, timeout: float) -> bool:
        """Take in what is ready on the sockets; wait for it up to `timeout` seconds (caller holds the lock).

        Call `hand_over` afterwards, but first compute: a round that is ready is more urgent than acknowledgements.
        Returns whether anything was ready.
        """
        ready = self._poll.poll(timeout * 1000)
        for fd, event in ready:
            handler = self._handlers.get(fd)
            if handler is not None:  # an earlier handler may have closed it
                handler(event)
        self._handed_over = False
        return bool(ready)

    def counters(self) -> Mapping[int, dict[str, float]]:
        """Counters of every pipe of this job, by pipe id; inputs carry `queued` and `lag`."""
        report: dict[int, dict[str, float]] = {}
        for in_port in self.inputs:
            report[in_port.pipe.id] = in_port.receiver.counters.as_dict() | {"lag": in_port.lag}
        for port in self.outputs:
            report[port.pipe.id] = port.sender.counters.as_dict()
        if self._join is not None:
            for index, in_port in enumerate(self._joined):
                report[in_port.pipe.id]["queued"] = self._join.queued(index)[0]
                report[in_port.pipe.id]["dummies"] = self._join.dummies(index)
                report[in_port.pipe.id]["late"] += self._join.late(index)
        return report

    def report_if_due(self) -> float:
        """Report when it is time to (caller holds the lock). Returns the time."""
        now = monotonic()
        if now >= self._report_at:
            self._report_at = now + REPORT_INTERVAL
            self._report()
        return now

    def _wait(self, deadline: float | None) -> None:
        """Pump until something happened or the next deadline has come."""
        if not self._handed_over:
            self.hand_over()
        now = self.report_if_due()
        timeout = self._report_at - now
        for moment in (deadline, *(port.receiver.deadline() for port in self.inputs), *self._retries()):
            if moment is not None:
                timeout = min(timeout, moment - now)
        self.waiting = True
        self.pump(max(0.0, timeout))

    def _leave(self) -> None:
        """The job's thread goes back to user code: from now on the I/O thread has to look after the sockets."""
        self.serviced_at = monotonic()
        if self.waiting:
            self.waiting = False
            if self.parked:
                self.unpark.set()

    def hand_over(self) -> None:
        """Move pending blocks into windows, windows and acknowledgements into sockets (caller holds the lock)."""
        self._handed_over = True
        for port in self.outputs:
            if port.pending:
                self._write_pending(port)
            connection = port.connection
            if connection is not None:
                self._feed(connection, port.sender.take)
            elif port.address is not None and monotonic() >= port.retry_at:
                self._connect(port)
        self._release()
        now = 0.0
        for in_port in self.inputs:
            connection = in_port.connection
            if connection is not None:
                now = now or monotonic()
                buffers = in_port.receiver.take(now)
                if buffers:
                    connection.queue(buffers)
                    connection.flush()
                    self._rewatch(connection, paused=in_port.paused)

    def _write_pending(self, port: OutPort) -> None:
        pending = port.pending
        count = len(pending)
        if count:
            blocks = [pending.popleft() for _ in range(count)]
            if not port.done:
                port.sender.write(blocks, port.head, monotonic(), time())

    def _feed(self, connection: Connection, take: Callable[[], list[Buffer]]) -> None:
        while not connection.backlog:
            buffers = take()
            if not buffers:
                break
            connection.queue(buffers)
            connection.flush()
        self._rewatch(connection)

    def _rewatch(self, connection: Connection, *, paused: bool = False) -> None:
        mask = (0 if paused else _READ) | (_WRITE if connection.backlog else 0)
        if connection.fd in self._watched and self._watched[connection.fd] != mask:
            self._watched[connection.fd] = mask
            self._poll.modify(connection.fd, mask)

    def _release(self) -> None:
        """Tell upstream what will never be needed again."""
        self._ledger.computed(*self.progress)
        for port in self._backing:
            epoch, sqn = port.sender.released
            self._ledger.output_released(port.pipe.id, epoch, sqn)
        for pipe, (epoch, sqn) in self._ledger.releases().items():
            self._by_pipe[pipe].receiver.release(epoch, sqn)

    # -- sending side ------------------------------------------------------------------------------------

    def _retries(self) -> list[float]:
        return [p.retry_at for p in self.outputs if p.connection is None and p.address is not None]

    def _connect(self, port: OutPort) -> None:
        if port.address is None:
            return
        try:
            sock = transport.connect(port.address)
        except OSError:
            self._retry_later(port)
            return
        connection = Connection(sock)
        port.connection = connection
        port.sender.connected()
        self.watch(connection.fd, partial(self._out_event, port, connection))
        self._feed(connection, port.sender.take)

    def _retry_later(self, port: OutPort) -> None:
        port.retry_at = monotonic() + min(_RETRY_MOST, _RETRY_FIRST * 2**port.retries)
        port.retries = min(port.retries + 1, 10)

    def _out_event(self, port: OutPort, connection: Connection, event: int) -> None:
        try:
            if event & (_READ | _GONE):
                for frame in connection.read():
                    port.retries = 0
                    port.sender.receive(frame)
                if port.sender.done:
                    self._set_done(port)
            if event & _WRITE:
                connection.flush()
        except ChannelError as error:
            self._log(30, f"pipe {port.pipe.id}: {error}")
            connection.closed = True
        if connection.closed:
            self._drop(connection)
            port.connection = None
            port.sender.disconnected()
            self._retry_later(port)

    # -- receiving side ----------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            transport.tune(sock)
            connection = Connection(sock)
            self.watch(connection.fd, partial(self._greeting, connection))

    def _greeting(self, connection: Connection, _event: int) -> None:
        """First frames of a new connection: it must say which pipe it is for."""
        try:
            frames = connection.read()
        except ChannelError as error:
            self._log(30, f"a connection that does not speak our protocol was closed: {error}")
            self._drop(connection)
            return
        if not frames:
            if connection.closed:
                self._drop(connection)
            return
        hello, *rest = frames
        port = self._by_pipe.get(hello.pipe) if isinstance(hello, Hello) else None
        if not isinstance(hello, Hello) or port is None:
            self._refuse(connection, "no such pipe here")
        elif not port.receiver.hello(hello):
            self._refuse(connection, f"pipe {hello.pipe}: {port.receiver.refusal}")
        else:
            if port.connection is not None:
                self._drop(port.connection)
            self.unwatch(connection.fd)
            port.connection = connection
            port.paused = False
            self.watch(connection.fd, partial(self._in_event, port, connection))
            self._take_in(port, rest)

    def _refuse(self, connection: Connection, reason: str) -> None:
        self._log(30, f"a connection was refused: {reason}")
        connection.queue([encode_control(Refuse(reason))])
        connection.flush()
        self._drop(connection)

    def _in_event(self, port: InPort, connection: Connection, event: int) -> None:
        try:
            if event & _WRITE:
                connection.flush()
                self._rewatch(connection, paused=port.paused)
            if event & (_READ | _GONE):
                self._take_in(port, connection.read())
        except ChannelError as error:
            self._log(30, f"pipe {port.pipe.id}: {error}")
            connection.closed = True
        if connection.closed:
            self._drop(connection)
            port.connection = None
            port.receiver.disconnected()

    def _take_in(self, port: InPort, frames: Sequence[Frame]) -> None:
        now = monotonic()
        receiver, join, mailbox = port.receiver, self._join, port.mailbox
        for frame in frames:
            for batch in receiver.receive(frame):
                port.lag = max(0.0, now - batch.mono)  # one clock: one machine
                if mailbox is not None:
                    for block in batch.blocks:
                        mailbox.put(block)
                    self.news += batch.count
                    receiver.release(batch.epoch, batch.last)
                elif join is not None and not self._finishing:
                    join.offer(port.index, batch, now)
        if receiver.ended and not port.ended:
            port.ended = True
            if mailbox is None and join is not None:
                join.end(port.index)
        if (
            mailbox is None
            and join is not None
            and not port.paused
            and port.crowded(*join.queued(port.index))
        ):
            self._pause(port, paused=True)

    def _pause(self, port: InPort, *, paused: bool) -> None:
        port.paused = paused
        if port.connection is not None:
            self._rewatch(port.connection, paused=paused)

    def _resume(self, join: Join) -> None:
        """Read again from inputs that were paused and have room now."""
        for port in self._joined:
            if port.paused and not port.crowded(*join.queued(port.index)):
                self._pause(port, paused=False)

    def _drop(self, connection: Connection) -> None:
        self.unwatch(connection.fd)
        connection.close()
