"""A conversation with a coordinator in short words, and the instructions of one kind among its answers."""

from typing import Any

from cluster_model import INFO

from fission.cluster import (
    Coordinator,
    Event,
    Instruction,
    InventoryEntry,
    JobListening,
    JobReady,
    JobState,
    NodeJoined,
    Policy,
    StartRequested,
)
from fission.core.network import Network


class Talk:
    """A coordinator with two nodes of two slots, and short words for what happens."""

    def __init__(
        self,
        net: Network,
        policy: Policy | None = None,
        nodes: tuple[str, ...] = ("n1", "n2"),
        slots: int = 3,
    ):
        self.net = net
        self.now = 0.0
        self.made = Coordinator(net, "r", policy=policy)
        self.slots = slots
        for node in nodes:
            self.say(self.join(node))

    def join(self, node: str, *inventory: InventoryEntry) -> NodeJoined:
        return NodeJoined(node, INFO, slots=self.slots, service="1", inventory=inventory)

    def say(self, event: Event, later: float = 0.0) -> list[Instruction]:
        self.now += later
        return self.made.handle(event, self.now)

    def start(self) -> "Talk":
        self.say(StartRequested())
        for job in self.made.jobs:
            self.up(job)
        return self

    def who(self, job: int) -> tuple[str, int, int]:
        record = self.made.jobs[job]
        return str(record.node), job, record.incarnation

    def up(self, job: int) -> list[Instruction]:
        node, _, incarnation = who = self.who(job)
        return [*self.say(JobListening(*who, f"{node}/{job}.{incarnation}")), *self.say(JobReady(*who))]

    def state(self, job: int) -> JobState:
        return self.made.jobs[job].state


def of(kind: type[Any], instructions: list[Instruction]) -> list[Any]:
    return [one for one in instructions if isinstance(one, kind)]
