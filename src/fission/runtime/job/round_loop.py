"""The loop around `run()`: takes rounds from the exchange, calls user code, and passes on its results.

Blocks are decoded and rounds are cut lazily, by iterators written in C, over a whole stretch of rounds at
once; per round there is the user's call, the encoding of its result, and a look at the clock.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from time import monotonic
from types import GeneratorType
from typing import Any, NoReturn

from fission.channel.ranges import Position
from fission.channel.wire.frames import Payload
from fission.core.head import WIRE_FINISHED, WIRE_RESET, Head
from fission.core.jobs import PythonJob
from fission.errors import OutputError, RunError
from fission.runtime.data.exchange import SLICE, Exchange
from fission.runtime.data.ports import InPort
from fission.runtime.job.forked_child import end_child

Call = Callable[..., Any]
Log = Callable[[int, str], None]


class EndOfStream(Exception):  # noqa: N818 - an end, not an error
    """There is no block for this round: the job returned None or its generator has ended."""


class NothingReturned(EndOfStream):
    """`run` returned (or yielded) None although the job has outputs."""


def end_child_at_return() -> None:
    """In a forked child: end the process as soon as user code leaves for the loop, by a return or an exception.

    Every round looks at the clock, or completes, after user code. In the child both are the end; the job pays nothing for it.
    """

    def end(*_: object) -> NoReturn:
        error = sys.exception()
        end_child(None if isinstance(error, EndOfStream) else error)

    globals()["monotonic"] = end
    setattr(Exchange, "complete", end)  # noqa: B010 - a child has no other use for it, and no type that fits


class RoundLoop:
    """Runs a job until its stream ends; `start` is the point after which it begins, as for `Exchange.begin`.

    `round` is the number of the last complete round; an exception of the user's code comes out of `run` as it
    is and belongs to the round after that.
    """

    def __init__(
        self,
        job: PythonJob,
        exchange: Exchange,
        start: Position = (1, 0),
        log: Log = lambda _level, _text: None,
    ) -> None:
        self._job = job
        self._exchange = exchange
        self.epoch, self.round = start
        self.gave_nothing = False
        """The first round of the stream returned None although the job has outputs: probably a forgotten `return`."""
        self._emit = _emitter(job, exchange, log)
        self._only = _only_plain_input(exchange)

    def run(self) -> None:
        """Compute round after round; return when the job's stream has ended, with nothing left to compute."""
        if self._job._finishing:
            return  # it was the predecessor's last round
        try:
            if not self._exchange.inputs:
                self._run_source()
            elif all(port.mailbox is not None for port in self._exchange.inputs):
                self._run_asynchronous()
            else:
                self._run_connector()
        except NothingReturned:
            self.gave_nothing = (self.epoch, self.round) == (1, 0) and not self._job._finishing
        except EndOfStream:
            pass

    @property
    def computing(self) -> bool:
        """Whether the job's thread is in user code: it has a round and does not wait for blocks or for room."""
        return not self._exchange.waiting

    # -- where rounds come from --------------------------------------------------------------------------

    def _run_source(self) -> None:
        """A source has one round without arguments after the other; a generator gives the values of all."""
        call: Call = self._job.run
        self._look_whether_repeating()
        self._prepare_heads(self._first(), ())
        value = call()
        if isinstance(value, GeneratorType):
            call = _values_of(value)
            value = call()
        while True:
            self._begin_epoch()
            self._complete(value, self._first())
            value = self._compute_plain(call)

    def _run_asynchronous(self) -> None:
        """All inputs are asynchronous: a round whenever there is a block that waits, at whichever input."""
        while self._exchange.wait_for_mail():
            self._begin_epoch()
            self._look_whether_repeating()
            self._compute(self._job.run, self._arguments((), 1), self._first(), ())

    def _look_whether_repeating(self) -> None:
        """Set `repeating`: the receivers already have the next round."""
        self._job.repeating = self.round < self._exchange.repeated

    def _first(self) -> int:
        """The wire head that the next round of an origin begins with."""
        return 0 if self.round else WIRE_RESET

    def _begin_epoch(self) -> None:
        """Number from 1 again if an origin has a new epoch, but not before its receivers have what they had before."""
        exchange = self._exchange
        if exchange.epoch > self.epoch and exchange.outputs and self.round >= exchange.repeated:
            exchange.begin_epoch(exchange.epoch)
            self.epoch, self.round = exchange.progress

    def _run_connector(self) -> None:
        exchange = self._exchange
        while (stretch := exchange.next_rounds()) is not None:
            if stretch.epoch != self.epoch:
                self.epoch = stretch.epoch
                exchange.begin_epoch(self.epoch)
            self.round = stretch.first - 1
            head = 0
            for heads in stretch.heads:
                for one in heads:
                    head |= one
            if self._only is not None:
                arguments: Iterator[tuple[Any, ...]] = zip(map(self._only.decode, stretch.columns[0]))
            else:
                arguments = self._arguments(stretch.columns, stretch.count)
            self._look_whether_repeating()
            if self._job.repeating:
                again = islice(arguments, exchange.repeated - self.round)
                self._compute(self._job.run, again, head, stretch.heads)
                self._job.repeating = False
            self._compute(self._job.run, arguments, head, stretch.heads)
            if self.round < stretch.first + stretch.count - 1:
                raise RunError(
                    "a StopIteration came out of unpack or read",
                    where=f"job {self._job.name}, one of {', '.join(map(str, self._job.inputs))}",
                    hint="Rounds would be lost; raise another exception",
                )

    def _arguments(self, columns: Sequence[list[Payload]], count: int) -> Iterator[tuple[Any, ...]]:
        """The arguments of `run` for `count` rounds, decoded one round at a time."""
        joined = iter(columns)
        return zip(
            *(
                _rounds(port, next(joined)) if port.mailbox is None else islice(_latest(port), count)
                for port in self._exchange.inputs
            ),
            strict=True,
        )

    # -- computing ---------------------------------------------------------------------------------------

    def _compute(
        self, call: Call, arguments: Iterable[tuple[Any, ...]], head: int, heads: Sequence[tuple[int, ...]]
    ) -> None:
        """Compute one round for every item of `arguments`; all of them have the same heads."""
        exchange, job, emit = self._exchange, self._job, self._emit
        if job.HEAD:
            for args in arguments:
                self._prepare_heads(head, heads)
                self._complete(call(*args), head)
            return
        for port in exchange.outputs:
            if port.head != head:
                exchange.set_head(port, head)
        done = self.round
        due = monotonic() + SLICE
        try:
            for args in arguments:
                value = call(*args)
                if job._finishing:
                    self.round = done
                    try:
                        self._complete(value, head)
                    finally:
                        done = self.round
                emit(value)
                done += 1
                if monotonic() >= due:
                    due = self._service(done)
        finally:
            self.round = done
            exchange.complete(self.epoch, done)

    def _compute_plain(self, call: Call) -> Any:
        """Compute rounds of a source; return the value of the first that needs more than to be handed on.

        That is every round of a job that looks at heads, the last round, and the one with which a new epoch begins.
        """
        exchange, job, emit = self._exchange, self._job, self._emit
        self._look_whether_repeating()
        if job.HEAD:
            self._prepare_heads(0, ())
            return call()
        for port in exchange.outputs:
            if port.head:
                exchange.set_head(port, 0)
        done, epoch = self.round, self.epoch
        due = monotonic() + SLICE
        rounds = repeat(None, exchange.repeated - done) if job.repeating else repeat(None)
        try:
            for _ in rounds:
                value = call()
                if job._finishing or exchange.epoch > epoch:
                    return value
                emit(value)
                done += 1
                if monotonic() >= due:
                    due = self._service(done)
            job.repeating = False
            return call()
        finally:
            self.round = done
            exchange.complete(epoch, done)

    def _service(self, done: int) -> float:
        self._exchange.complete(self.epoch, done)
        due = self._exchange.service()
        if self._exchange.outgoing.cancelled:
            raise EndOfStream
        return due

    def _prepare_heads(self, head: int, heads: Sequence[tuple[int, ...]]) -> None:
        """Set what a job with `HEAD = True` finds in its attributes when `run` is called."""
        job = self._job
        if not job.HEAD:
            return
        size = job.head_size
        joined = iter(heads)
        job.in_heads = [
            Head.from_wire(0, size) if port.mailbox is not None else _heads(next(joined), size)
            for port in self._exchange.inputs
        ]
        job.head = job.head_reduce() if job.in_heads else Head.from_wire(head, size)
        job.out_heads = [None] * len(self._exchange.outputs)

    def _complete(self, value: Any, head: int) -> None:
        """Pass on the value of one round with its heads, and count the round."""
        job, exchange = self._job, self._exchange
        last = WIRE_FINISHED if job._finishing else 0
        for index, port in enumerate(exchange.outputs):
            wire = head
            if job.HEAD:
                chosen = job.out_heads[index]
                wire = _wire(job.head if chosen is None else chosen, job.head_size)
                wire |= head & (WIRE_RESET | WIRE_FINISHED)  # these two are not the job's to take away
            wire |= last
            if port.head != wire:
                exchange.set_head(port, wire)
        self._emit(value)
        self.round += 1
        self._service(self.round)
        if last:
            raise EndOfStream


def _only_plain_input(exchange: Exchange) -> InPort | None:
    """The input of a job that has one, with one block per round: the usual case, worth a shorter way."""
    if len(exchange.inputs) != 1:
        return None
    (port,) = exchange.inputs
    return port if port.mailbox is None and port.pipe.BLOCK_COUNT == 1 else None


def _rounds(port: InPort, column: list[Payload]) -> Iterator[Any]:
    """Decode the blocks of a column; cut them into lists where a round has more than one."""
    values = map(port.decode, column)
    count = port.pipe.BLOCK_COUNT
    return values if count == 1 else map(list, zip(*[values] * count, strict=True))


def _latest(port: InPort) -> Iterator[Any]:
    """The latest value of an asynchronous input, at each call; never ends."""
    mailbox, decode, unpack = port.mailbox, port.decode, port.pipe.unpack
    default = getattr(port.pipe, "OPTIONAL_DEFAULT", None)
    while mailbox is not None:
        payload = mailbox.take()
        yield unpack(default) if payload is None else decode(payload)


def _values_of(generator: Iterator[Any]) -> Call:
    """A function that returns the generator's next value, and ends the job's stream after the last."""

    def call() -> Any:
        for value in generator:
            return value
        raise EndOfStream

    return call


def _heads(wires: tuple[int, ...], size: int) -> Head | list[Head]:
    heads = [Head.from_wire(wire, size) for wire in wires]
    return heads[0] if len(heads) == 1 else heads


def _wire(head: Head | int, size: int) -> int:
    return (head if isinstance(head, Head) else Head(head, size)).to_wire()


def _emitter(job: PythonJob, exchange: Exchange, log: Log) -> Callable[[Any], None]:
    """Return a function that passes the value of a round to the outputs (spec 4: what `run` returns)."""
    outputs = exchange.outputs
    if not outputs:
        return lambda _value: None
    if len(outputs) == 1:
        encode, append = outputs[0].encode, outputs[0].pending.append

        def emit_one(value: Any) -> None:
            if value is None:
                raise NothingReturned
            if type(value) is tuple:
                (value,) = _checked(job, value, 1)
            append(encode(value))

        return emit_one

    ends = [(port.encode, port.pending.append) for port in outputs]
    hinted = False

    def emit_all(value: Any) -> None:
        nonlocal hinted
        if value is None:
            raise NothingReturned
        if type(value) is not tuple:
            if type(value) is list and not hinted and len(value) == len(ends):
                hinted = True
                log(30, _LIST_FOR_ALL.format(len(ends)))
            value = repeat(value)
        else:
            _checked(job, value, len(ends))
        blocks = [encode(item) for (encode, _), item in zip(ends, value, strict=False)]
        for (_, append), block in zip(ends, blocks, strict=True):
            append(block)

    return emit_all


_LIST_FOR_ALL = (
    "run() returned a list of {0}, and the job has {0} outputs: the whole list goes to each of them. To send one item to "
    "each output, return a tuple; to make clear that the list is meant, return (value,) * {0}"
)


def _checked(job: PythonJob, value: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(value) != count:
        raise OutputError(
            f"run returned a tuple of {len(value)}",
            where=f"job {job.name}",
            expected=f"one item per output: {count}",
            hint="To send a tuple as one value, put it into a tuple of its own: return (value,)",
        )
    return value
