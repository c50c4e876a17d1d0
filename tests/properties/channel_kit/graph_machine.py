"""Random faults in a whole network."""

from types import SimpleNamespace
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from channel_kit.graph import GRAPHS, World
from channel_kit.pipe_machine import SHARE

WHICH = st.integers(0, 11)


class GraphRules(RuleBasedStateMachine):
    """Jobs work, wires carry and break, processes die and come back."""

    channel: ClassVar[SimpleNamespace]

    @initialize(
        graph=st.sampled_from(GRAPHS),
        retain=st.sampled_from([0, 200, 1 << 20]),
        every=st.sampled_from([1, 2, 3, 40]),
        turns=st.integers(0, 20),
    )
    def begin(self, graph, retain, every, turns) -> None:
        self.world = World(self.channel, graph, retain=retain, every=every)
        self.time_passes(turns)

    def job(self, which: int) -> int:
        return which % len(self.world.jobs)

    @rule(turns=st.integers(1, 25))
    def time_passes(self, turns: int) -> None:
        """Everything goes well for a while."""
        for _ in range(turns):
            self.world.now += 0.01
            for job, process in self.world.processes.items():
                if job not in self.world.dead:
                    self.world.everybody(process)

    @rule(which=WHICH, turns=st.integers(5, 25))
    def the_store_of_one_job_is_slow(self, which: int, turns: int) -> None:
        """So that what one branch releases is far ahead of the others."""
        for _ in range(turns):
            self.world.now += 0.01
            for job, process in self.world.processes.items():
                if job not in self.world.dead:
                    self.world.everybody(process, stored=job != self.job(which))

    @rule(which=WHICH, limit=st.integers(1, 9))
    def work(self, which: int, limit: int) -> None:
        if self.job(which) not in self.world.dead:
            self.world.processes[self.job(which)].work(limit)

    @rule(which=WHICH)
    def store_and_acknowledge(self, which: int) -> None:
        if self.job(which) not in self.world.dead:
            process = self.world.processes[self.job(which)]
            process.store()
            process.acknowledge()

    @rule(which=WHICH, share=SHARE)
    def carry(self, which: int, share: int) -> None:
        pipe = which % len(self.world.graph.pipes)
        source = self.world.graph.pipes[pipe].source
        if source not in self.world.dead:
            self.world.carry(self.world.processes[source], pipe, share)

    @rule(which=WHICH, share=SHARE)
    def cut(self, which: int, share: int) -> None:
        pipe = which % len(self.world.graph.pipes)
        source = self.world.graph.pipes[pipe].source
        if source not in self.world.dead:
            self.world.lose(self.world.processes[source], pipe, share)

    @rule(which=WHICH, share=SHARE, zombie=st.booleans())
    def crash(self, which: int, share: int, zombie: bool) -> None:
        self.world.crash(self.job(which), share, zombie=zombie)

    @rule(which=st.lists(WHICH, min_size=2, max_size=4), share=SHARE)
    def crash_several(self, which: list[int], share: int) -> None:
        for one in which:
            self.world.crash(self.job(one), share, zombie=False)

    @rule(which=WHICH)
    def restart(self, which: int) -> None:
        job = self.job(which)
        self.world.restart(job)

    @rule(which=WHICH, share=SHARE, limit=st.integers(0, 4))
    def a_zombie_goes_on(self, which: int, share: int, limit: int) -> None:
        if self.world.zombies:
            zombie = self.world.zombies[which % len(self.world.zombies)]
            zombie.work(limit)
            zombie.store()
            zombie.acknowledge()
            for pipe in zombie.senders:
                self.world.carry(zombie, pipe, share)

    @invariant()
    def nothing_that_a_restart_needs_has_been_released(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        for job, process in world.processes.items():
            if not process.opened or process.exited:
                continue
            restart = process.ledger.restart
            for pipe in world.graph.outputs(job):
                receiving = world.processes[world.graph.pipes[pipe].destination]
                if receiving.opened and not receiving.exited:
                    assert restart <= receiving.wires[pipe].receiver.released
            if world.graph.stateful[job]:
                assert restart in world.stored[job] or restart == (1, 0)
            for pipe in world.graph.inputs(job):
                source = world.processes[world.graph.pipes[pipe].source]
                if source.opened and not source.senders[pipe].done:
                    needed = (restart[0], restart[1] * world.graph.pipes[pipe].block_count)
                    assert source.senders[pipe].acknowledged <= needed

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.drain()


def graph_machine(channel: SimpleNamespace) -> type[RuleBasedStateMachine]:
    """Return the machine for one channel under test."""
    return type("GraphMachine", (GraphRules,), {"channel": channel})
