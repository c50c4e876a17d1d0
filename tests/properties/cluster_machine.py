"""Hypothesis drives the model of a cluster: faults of all kinds, in any order, at any moment."""

from collections.abc import Callable
from typing import Any

from cluster_model import INFO, Cluster, Machine, Process
from cluster_networks import SHAPES
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fission.cluster import (
    DrainRequested,
    IncarnationStatus,
    MoveRequested,
    NodeReport,
    Outcome,
    Phase,
    Policy,
    RebalanceRequested,
    ReloadRequested,
    StartRequested,
    StopRequested,
)
from fission.core.groups import LOCAL

NODES = ("n1", "n2", "n3")
nodes = st.sampled_from(NODES)
any_node = st.sampled_from((*NODES, LOCAL))
small = st.integers(0, 5)


def _calm(cluster: Cluster) -> None:
    cluster.settle()
    cluster.check_calm()


class ClusterMachine(RuleBasedStateMachine):
    """Rules do nothing where they do not apply, so that examples shrink well."""

    cluster: Cluster

    @initialize(
        shape=st.sampled_from(SHAPES),
        slots=st.tuples(st.integers(3, 5), st.integers(1, 3), st.integers(1, 3)),
        orphan=st.booleans(),
    )
    def begin(self, shape: Callable[[], Any], slots: tuple[int, int, int], orphan: bool) -> None:
        machines = [Machine(name, count) for name, count in zip(NODES, slots, strict=True)]
        machines[0].groups = frozenset({"fast"})
        if orphan:
            old = Process(1, 7, "old", 1, run="an old run", status=IncarnationStatus.RUNNING, listens=True)
            machines[1].processes.append(old)
        self.cluster = Cluster(shape(), machines, Policy())
        for machine in self.cluster.machines.values():
            self.cluster.connect(machine)
            self.cluster.deliver(machine)
        self.cluster.handle(StartRequested())
        if self.cluster.client.phase is Phase.RUNNING:
            return
        self.cluster.settle()
        assert self.cluster.end is None or self.cluster.end.exit_code == 2

    def _machine(self, node: str) -> Machine:
        return self.cluster.machines[node]

    def _process(self, node: str, choice: int) -> Process | None:
        living = self._machine(node).living()
        return living[choice % len(living)] if living else None

    @rule(node=any_node, count=st.integers(1, 6))
    def work(self, node: str, count: int) -> None:
        for _ in range(count):
            self.cluster.execute(self._machine(node))

    @rule(node=any_node, choices=st.lists(small, min_size=1, max_size=6))
    def deliver(self, node: str, choices: list[int]) -> None:
        for choice in choices:
            self.cluster.deliver(self._machine(node), choice)

    @rule(node=nodes)
    def deliver_late(self, node: str) -> None:
        self.cluster.deliver_late(self._machine(node))

    @rule(node=any_node, choice=small, count=st.integers(1, 3))
    def step(self, node: str, choice: int, count: int) -> None:
        for _ in range(count):
            process = self._process(node, choice)
            if process is not None:
                self.cluster.step(self._machine(node), process)

    @rule(node=any_node, choice=small)
    def compute(self, node: str, choice: int) -> None:
        process = self._process(node, choice)
        if process is not None:
            self.cluster.compute(self._machine(node), process)

    @rule(node=any_node, choice=small)
    def crash(self, node: str, choice: int) -> None:
        process = self._process(node, choice)
        if process is not None:
            self.cluster.crash(self._machine(node), process)

    @rule(node=any_node, choice=small)
    def fail(self, node: str, choice: int) -> None:
        process = self._process(node, choice)
        if process is not None:
            self.cluster.fail(self._machine(node), process)

    @rule(node=nodes, choice=small)
    def hang(self, node: str, choice: int) -> None:
        process = self._process(node, choice)
        if process is not None and process.status is not IncarnationStatus.STARTING:
            process.stubborn = True

    @rule(job=st.integers(1, 6), node=st.sampled_from(("", *NODES)))
    def move(self, job: int, node: str) -> None:
        self.cluster.handle(MoveRequested(job, node))

    @rule(node=nodes, steps=st.integers(0, 5))
    def drain(self, node: str, steps: int) -> None:
        self.cluster.handle(DrainRequested(node))
        for _ in range(steps):
            self.cluster.execute(self._machine(node))
            self.cluster.deliver(self._machine(node))
        self.cluster.handle(DrainRequested(node, undo=True))

    @rule(job=st.integers(1, 6))
    def reload(self, job: int) -> None:
        self.cluster.handle(ReloadRequested(job))

    @rule()
    def rebalance(self) -> None:
        self.cluster.handle(RebalanceRequested())

    @rule(node=any_node, choice=small, pipes=st.integers(0, 7), seconds=st.sampled_from((0.0, 1.0, 100.0)))
    def silence(self, node: str, choice: int, pipes: int, seconds: float) -> None:
        process = self._process(node, choice)
        if process is not None:
            self.cluster.silence(self._machine(node), process, pipes, seconds)

    @rule(node=nodes)
    def refuse_a_start(self, node: str) -> None:
        self._machine(node).refuses = 1

    @rule(node=nodes)
    def cut(self, node: str) -> None:
        self.cluster.cut(self._machine(node))

    @rule(node=nodes, drained=st.booleans())
    def withdraw(self, node: str, drained: bool) -> None:
        self.cluster.withdraw(self._machine(node), drained=drained)

    @rule(node=nodes)
    def detect(self, node: str) -> None:
        self.cluster.detect(self._machine(node))

    @rule(node=nodes)
    def reconnect(self, node: str) -> None:
        self.cluster.connect(self._machine(node))

    @rule(node=nodes)
    def power_off(self, node: str) -> None:
        self.cluster.power_off(self._machine(node))

    @rule(node=nodes)
    def power_on(self, node: str) -> None:
        machine = self._machine(node)
        self.cluster.power_on(machine)
        self.cluster.connect(machine)

    @rule(node=nodes)
    def report(self, node: str) -> None:
        if self._machine(node).linked:
            self._machine(node).say(NodeReport(node, INFO))

    @rule(seconds=st.sampled_from((0.01, 0.2, 1.0, 3.0, 6.0)))
    def wait(self, seconds: float) -> None:
        self.cluster.pass_time(seconds)

    @rule()
    def restart_client(self) -> None:
        if self.cluster.end is None:
            self.cluster.kill_client()
            self.cluster.start_client()

    @rule()
    def streams_end(self) -> None:
        self.cluster.over = True

    @rule()
    def calm(self) -> None:
        _calm(self.cluster)

    @precondition(lambda self: self.cluster.end is None)
    @rule(force=st.booleans(), chance=st.integers(0, 7))
    def stop(self, force: bool, chance: int) -> None:
        if chance:
            return
        cluster = self.cluster
        cluster.stop_asked = cluster.now
        cluster.handle(StopRequested(force))
        cluster.pass_time(cluster.policy.exit_grace + cluster.policy.force_grace)
        assert cluster.end is not None, "does not stop in time"

    def teardown(self) -> None:
        """The storm is over: first with the machines that are left, then with all, at last to the end."""
        if not hasattr(self, "cluster"):
            return
        cluster = self.cluster
        _calm(cluster)
        for machine in cluster.machines.values():
            for process in machine.living():
                process.stubborn = False
            cluster.power_on(machine)
        _calm(cluster)
        cluster.over = True
        _calm(cluster)
        assert cluster.end is not None, "does not end"
        assert cluster.end.outcome in tuple(Outcome)


def _nearly_over() -> tuple[Cluster, dict[int, tuple[Machine, Process]]]:
    """A chain on three nodes, whose sink has just finished; the connector has not heard DONE yet."""
    cluster = Cluster(SHAPES[0](), [Machine(name, 2) for name in NODES], Policy())
    for machine in cluster.machines.values():
        cluster.connect(machine)
        cluster.deliver(machine)
    cluster.handle(StartRequested())
    cluster.settle()
    cluster.over = True
    where = {process.job: (machine, process) for machine, process in cluster.processes()}
    for job in (1, 2, 3):
        cluster.flow(*where[job])
    return cluster, where


def last_word_is_lost() -> None:
    """The sink says DONE, and is lost with its node before the client hears that it has finished."""
    cluster, where = _nearly_over()
    cluster.flow(*where[2])
    home = where[3][0]
    cluster.power_off(home)
    cluster.detect(home)
    home.late.clear()
    _calm(cluster)
    assert cluster.end is not None, "does not end"


def done_is_lost() -> None:
    """The connector dies before it hears DONE from a sink that has ended."""
    cluster, where = _nearly_over()
    cluster.step(*where[3])
    cluster.crash(*where[2])
    _calm(cluster)
    assert cluster.end is not None, "does not end"


def a_link_comes_and_goes() -> None:
    """The connector is cut off from its source, wherever it moves: it moves ever more seldom."""
    cluster = Cluster(SHAPES[0](), [Machine(name, 3) for name in NODES], Policy())
    for machine in cluster.machines.values():
        cluster.connect(machine)
        cluster.deliver(machine)
    cluster.handle(StartRequested())
    cluster.settle()
    for _ in range(4):
        where = {process.job: (machine, process) for machine, process in cluster.processes()}
        if where[1][0] is not where[2][0]:
            cluster.silence(*where[2], 1, 0.0)
        else:
            cluster.handle(MoveRequested(2))
        _calm(cluster)
    assert sum(map(len, cluster.link_moves.values())) > 1


def silence_ends_with_the_process() -> None:
    """The connector reports a silent pipe, and crashes before the time is up: its successor has the whole time again."""
    cluster = Cluster(SHAPES[0](), [Machine(name, 3) for name in NODES], Policy())
    for machine in cluster.machines.values():
        cluster.connect(machine)
        cluster.deliver(machine)
    cluster.handle(StartRequested())
    cluster.settle()
    where = {process.job: (machine, process) for machine, process in cluster.processes()}
    if where[1][0] is where[2][0]:
        cluster.handle(MoveRequested(2))
        cluster.settle()
        where = {process.job: (machine, process) for machine, process in cluster.processes()}
    cluster.silence(*where[2], 1, 0.0)
    cluster.deliver(where[2][0])
    cluster.pass_time(4.0)
    cluster.crash(*where[2])
    _calm(cluster)
    assert not cluster.link_moves


def all_of_them(run: Callable[[], None]) -> None:
    """The stories that chance tells too seldom, then `run`."""
    last_word_is_lost()
    done_is_lost()
    a_link_comes_and_goes()
    silence_ends_with_the_process()
    run()
