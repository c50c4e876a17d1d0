"""A whole network of jobs on simulated wires, with processes that die, stay as zombies, and start again from checkpoints.

It uses windows, joins and ledgers as a runtime would. What the sink gets has to equal `undisturbed`, which computes the
network with lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from zlib import crc32

from channel_kit.wire import Connection, Wire
from fission.channel.wire.frames import WIRE_RESET, Batch

EVERYTHING = (1 << 31, 0)


@dataclass(frozen=True)
class Pipe:
    """`source` and `destination` are indexes of jobs."""

    source: int
    destination: int
    block_count: int = 1


@dataclass(frozen=True)
class Graph:
    """Jobs in topological order; the last one is the sink. `totals`: rounds of each source. `stateful`: per job."""

    pipes: tuple[Pipe, ...]
    totals: dict[int, int]
    stateful: tuple[bool, ...]

    def inputs(self, job: int) -> list[int]:
        return [number for number, pipe in enumerate(self.pipes) if pipe.destination == job]

    def outputs(self, job: int) -> list[int]:
        return [number for number, pipe in enumerate(self.pipes) if pipe.source == job]


CHAIN = Graph((Pipe(0, 1), Pipe(1, 2)), {0: 40}, (False, True, True))
STATELESS = Graph((Pipe(0, 1), Pipe(1, 2), Pipe(2, 3)), {0: 40}, (False, False, False, True))
DIAMOND = Graph(
    (Pipe(0, 1), Pipe(0, 2), Pipe(1, 3), Pipe(2, 3), Pipe(3, 4)), {0: 30}, (True, True, False, True, True)
)
COUNTS = Graph(
    (Pipe(0, 2, 2), Pipe(1, 3), Pipe(2, 4), Pipe(3, 4, 3), Pipe(4, 5, 2)),
    {0: 36, 1: 50},
    (True, False, True, False, True, True),
)
FORGETFUL = Graph((Pipe(0, 1, 2), Pipe(1, 2)), {0: 40}, (True, True, False))
"""Sinks without state that know nothing after a restart."""
OBLIVIOUS = Graph(
    (Pipe(0, 1), Pipe(0, 2), Pipe(1, 3, 2), Pipe(2, 3, 2), Pipe(3, 4), Pipe(1, 4, 2)),
    {0: 30},
    (True, True, False, False, False),
)
GRAPHS = (CHAIN, STATELESS, DIAMOND, COUNTS, FORGETFUL, OBLIVIOUS)


def user_head(job: int, number: int) -> int:
    return 16 * (number % (job + 4) == 2)


def compute(job: int, stateful: bool, state: int, number: int, blocks: Sequence[bytes]) -> tuple[int, bytes]:
    """What a job makes of a round: its new state and the block for all its outputs."""
    value = crc32(b"|".join(blocks), state if stateful else job + number)
    return value, b"%d.%d.%d" % (job, number, value) * (60 if number % 9 == 4 else 1)


def undisturbed(graph: Graph) -> list[tuple[int, bytes]]:
    """Head and block of every round of the sink."""
    written: dict[int, list[tuple[int, bytes]]] = {}
    rounds: list[tuple[int, bytes]] = []
    for job, stateful in enumerate(graph.stateful):
        inputs = graph.inputs(job)
        count = graph.totals.get(job) or min(len(written[p]) // graph.pipes[p].block_count for p in inputs)
        state, rounds = 0, []
        for number in range(1, count + 1):
            blocks: list[tuple[int, bytes]] = []
            for pipe in inputs:
                size = graph.pipes[pipe].block_count
                blocks += written[pipe][(number - 1) * size : number * size]
            state, payload = compute(job, stateful, state, number, [block for _, block in blocks])
            rounds.append((head_of(job, number, [head for head, _ in blocks]), payload))
        for pipe in graph.outputs(job):
            written[pipe] = rounds
    return rounds


def head_of(job: int, number: int, heads: Sequence[int]) -> int:
    result = user_head(job, number) | WIRE_RESET * (number == 1)
    for head in heads:
        result |= head
    return result


class Process:
    """One incarnation of a job. When it is restarted, it finds out where to begin before it takes anything."""

    def __init__(self, world: "World", job: int, incarnation: int) -> None:
        self.world, self.job, self.incarnation = world, job, incarnation
        self.graph = world.graph
        self.stateful = world.graph.stateful[job]
        self.fenced = False  # the store refuses this incarnation
        self.opened = self.ended = self.exited = False
        self.round, self.state, self.saved = 0, 0, 0
        self.log: list[tuple[int, bytes]] = []
        self.snapshots: list[
            tuple[int, tuple[int, list[tuple[int, bytes]]]]
        ] = []  # on their way to the store
        self.connections: dict[int, tuple[Wire, Connection]] = {}
        self.wires: dict[int, Wire] = {}
        self.counts = {pipe: self.graph.pipes[pipe].block_count for pipe in self.graph.inputs(job)}
        again = incarnation > 1
        self.senders = {
            pipe: world.channel.Sender(
                pipe,
                run="run",
                incarnation=incarnation,
                retain=world.retain,
                needed=world.needed[pipe],
                resuming=again,
            )
            for pipe in self.graph.outputs(job)
        }
        for index, pipe in enumerate(self.counts):
            source = world.processes.get(self.graph.pipes[pipe].source)
            receiver = world.channel.Receiver(
                pipe,
                run="run",
                retain=world.retain,
                incarnation=source.incarnation if source else 0,
                placed=not again,
            )
            wire = Wire(receiver, lambda batches, index=index: self.offer(index, batches))
            self.wires[pipe] = world.wires[pipe] = wire
        if not again:
            self.open((1, 0))

    # -- beginning ---------------------------------------------------------------------------------------

    def try_to_open(self) -> None:
        """Choose the restart point once every receiver, and every sender if need be, has said what it knows."""
        if self.opened or not all(sender.settled for sender in self.senders.values()):
            return
        said = [sender.acknowledged for sender in self.senders.values() if not sender.done]
        if self.senders and not said:
            self.opened = True
            self.exit()
            return
        released, unknown = [one for one in said if one != (0, 0)], (0, 0) in said
        stored = self.world.stored[self.job]
        channel, offered = self.world.channel, []
        if channel.must_ask(
            stateful=self.stateful, stored=bool(stored), released=bool(released), unknown=unknown
        ):
            for pipe, wire in self.wires.items():
                wire.receiver.ask()
                offered.append((wire.receiver.offered, self.counts[pipe]))
            if any(position is None for position, _ in offered):
                return
        point = channel.choose_point(stored, released, offered, stateful=self.stateful, unknown=unknown)
        self.begin(point or (1, 0))

    def begin(self, point: tuple[int, int]) -> None:
        for sender in self.senders.values():
            sender.resume(point)
        for pipe, wire in self.wires.items():
            wire.receiver.place((1, point[1] * self.counts[pipe] + 1))
            assert not wire.receiver.lost, "blocks are gone that are needed"
        self.open(point)

    def open(self, point: tuple[int, int]) -> None:
        channel = self.world.channel
        self.round = self.saved = point[1]
        stored = self.world.stored[self.job]
        self.state, log = stored.get(point, (0, []))
        self.log = list(log)
        if self.stateful and point not in stored:
            assert not self.round, "a state was lost"
            self.checkpoint()
        rules = [channel.InputRule(block_count=count) for count in self.counts.values()]
        self.join = channel.Join(rules, start=(1, point[1] + 1)) if rules else None
        self.ledger = channel.Ledger(self.senders, self.counts, self.stateful, start=point)
        self.opened = True

    # -- working -----------------------------------------------------------------------------------------

    def offer(self, index: int, batches: list[Batch]) -> None:
        for batch in batches:
            self.join.offer(index, batch, 0.0)

    def work(self, limit: int) -> bool:
        """Compute some rounds; True when there were any."""
        if not self.opened or self.ended or not all(s.writable for s in self.senders.values()):
            return False
        if self.senders and all(sender.done for sender in self.senders.values()):
            return self.end()
        if self.join is None:
            count = min(limit, self.graph.totals[self.job] - self.round)
            for _ in range(count):
                self.compute([], [])
            return count > 0 or (self.round == self.graph.totals[self.job] and self.end())
        for index, pipe in enumerate(self.graph.inputs(self.job)):
            if self.wires[pipe].receiver.ended:
                self.join.end(index)
        stretch = self.join.take(0.0, limit)
        if stretch is None:
            return self.join.finished and self.end()
        assert (stretch.epoch, stretch.first) == (1, self.round + 1)
        for i in range(stretch.count):
            blocks, heads = [], []
            for column, one in zip(stretch.columns, stretch.heads, strict=True):
                blocks += [bytes(block) for block in column[i * len(one) : (i + 1) * len(one)]]
                heads += one
            self.compute(blocks, heads)
        return True

    def compute(self, blocks: list[bytes], heads: list[int]) -> None:
        self.round += 1
        self.state, payload = compute(self.job, self.stateful, self.state, self.round, blocks)
        head = head_of(self.job, self.round, heads)
        for pipe, sender in self.senders.items():
            if pipe in self.connections and self.round % 2:
                self.connections[pipe][1].up += b"".join(sender.send([payload], head, 0.0, 0.0))
            elif not sender.done:
                sender.write([payload], head, 0.0, 0.0)
        if not self.senders:
            self.log.append((head, payload))
            assert self.world.seen.setdefault(self.round, (head, payload)) == (head, payload)
        self.ledger.computed(1, self.round)
        if self.stateful and self.round % (self.world.every + self.job % 3) == 0:
            self.checkpoint()

    def checkpoint_if_changed(self) -> None:
        """What a timer does while a job waits. Without it, windows that are full with too few rounds stay full."""
        if self.opened and self.stateful and self.round > self.saved:
            self.checkpoint()

    def checkpoint(self) -> None:
        self.saved = self.round
        self.snapshots.append((self.round, (self.state, list(self.log))))

    def store(self) -> None:
        """The store answers to the oldest checkpoint that is on its way."""
        if not self.snapshots:
            return
        number, state = self.snapshots.pop(0)
        if self.fenced:
            return
        stored = self.world.stored[self.job]
        stored[(1, number)] = state
        self.ledger.stored(1, number)
        self.mark_durable((1, number))
        for old in [point for point in stored if point < self.ledger.restart]:
            del stored[old]

    def mark_durable(self, point: tuple[int, int]) -> None:
        for pipe, wire in self.wires.items():
            wire.receiver.mark_durable(1, point[1] * self.counts[pipe])

    def end(self) -> bool:
        self.ended = True
        if self.stateful:
            self.checkpoint()
        for sender in self.senders.values():
            sender.finish()
        return True

    def acknowledge(self) -> None:
        """Carry releases from the outputs to the inputs; leave when nothing of ours is needed any more."""
        if not self.opened or self.exited:
            return
        for pipe, sender in self.senders.items():
            released = EVERYTHING if sender.done else sender.released
            self.ledger.output_released(pipe, *released)
        for pipe, position in self.ledger.releases().items():
            self.wires[pipe].receiver.release(*position)
        if self.senders and not self.stateful:
            self.mark_durable(min(sender.durable for sender in self.senders.values()))
        if self.ended and not self.snapshots and all(sender.finished for sender in self.senders.values()):
            self.exit()

    def exit(self) -> None:
        if not self.fenced:
            self.exited = self.ended = True
            for wire in self.wires.values():
                wire.receiver.done()


class World:
    """All processes and wires, and the coordinator that restarts what died."""

    def __init__(self, channel: SimpleNamespace, graph: Graph, *, retain: int, every: int) -> None:
        self.channel, self.graph, self.retain, self.every = channel, graph, retain, every
        self.now = 0.0
        self.jobs = range(len(graph.stateful))
        self.stored: list[dict[tuple[int, int], tuple[int, list[tuple[int, bytes]]]]] = [
            {} for _ in self.jobs
        ]
        self.seen: dict[int, tuple[int, bytes]] = {}
        """What any sink has got, by round."""
        self.needed: dict[int, int] = {}
        for pipe in reversed(range(len(graph.pipes))):
            below = [self.needed[p] for p in graph.outputs(graph.pipes[pipe].destination)]
            self.needed[pipe] = channel.needed_blocks(graph.pipes[pipe].block_count, below)
        self.wires: dict[int, Wire] = {}
        self.dead: set[int] = set()
        self.zombies: list[Process] = []
        self.processes: dict[int, Process] = {}
        for job in self.jobs:
            self.processes[job] = Process(self, job, 1)

    # -- faults ------------------------------------------------------------------------------------------

    def crash(self, job: int, share: int, *, zombie: bool) -> None:
        """The process is gone; or only the coordinator believes so."""
        process = self.processes[job]
        if job in self.dead or process.exited:
            return
        self.dead.add(job)
        process.fenced = True
        if zombie:
            self.zombies.append(process)
            return
        process.snapshots.clear()
        for pipe in list(process.connections):
            self.lose(process, pipe, share)
        for wire in process.wires.values():
            for connection in wire.connections:
                wire.receiver_gone(connection, process=True)

    def restart(self, job: int) -> None:
        if job in self.dead:
            self.dead.discard(job)
            self.processes[job] = Process(self, job, self.processes[job].incarnation + 1)

    def lose(self, process: Process, pipe: int, share: int) -> None:
        """The connection of an output breaks; of what is under way some arrives."""
        if pipe in process.connections:
            wire, connection = process.connections.pop(pipe)
            wire.sender_gone(connection, len(connection.up) * share // 4)
            process.senders[pipe].disconnected()

    # -- wires -------------------------------------------------------------------------------------------

    def carry(self, process: Process, pipe: int, share: int) -> None:
        """Connect the output if need be, and move a part of what is under way."""
        sender = process.senders[pipe]
        destination = self.processes[self.graph.pipes[pipe].destination]
        route = self.wires[pipe] if destination.job not in self.dead else None
        if pipe not in process.connections:
            if route is None or sender.refused or sender.done:
                return
            process.connections[pipe] = (route, route.connect(sender))
        wire, connection = process.connections[pipe]
        wire.pump_sender(sender, connection)
        wire.up(connection, len(connection.up) * share // 4)
        wire.pump_receiver(self.now)
        wire.down(sender, connection, len(connection.down) * share // 4)
        stale = wire is not route and route is not None
        closed = not connection.receiver_open and not connection.down
        if share == 4 and (stale or closed or sender.refused):
            self.lose(process, pipe, 4)

    # -- until the end ---------------------------------------------------------------------------------------

    def everybody(self, process: Process, *, stored: bool = True) -> bool:
        """One fair turn of a process; True when something happened that is worth another turn."""
        process.try_to_open()
        busy = process.work(2)
        if stored:
            process.store()
        process.acknowledge()
        for pipe in process.senders:
            self.carry(process, pipe, 4)
        return busy

    def drain(self) -> None:
        """No more faults: run until everything has been worked off."""
        for job in list(self.dead):
            self.restart(job)
        for turn in range(3000):
            self.now += 1.0
            for process in self.processes.values():
                self.everybody(process)
                if turn % 10 == 9:
                    process.checkpoint_if_changed()
            if all(process.exited for process in self.processes.values()):
                break
        stuck = [process.job for process in self.processes.values() if not process.exited]
        assert not stuck, f"jobs {stuck} never end"
        expected = undisturbed(self.graph)
        assert self.seen == dict(enumerate(expected, 1))
        sink = self.processes[max(self.jobs)]
        assert not sink.stateful or sink.log == expected
        for process in self.processes.values():
            assert all(sender.unreleased == (0, 0) for sender in process.senders.values())
