"""Random faults as values. Pure: the same seed always gives the same plan."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from chaoskit.plan import NetworkPlan


class Kind(StrEnum):
    """The kinds of faults."""

    JOB = "kill the process of a job"
    SERVICE = "kill a node service"
    POWER = "kill everything on a node"
    LINK = "take a node's link down"
    CLIENT = "kill the client"
    FREEZE_JOB = "freeze the process of a job"
    FREEZE_NODE = "freeze everything on a node"
    FREEZE_CLIENT = "freeze the client"
    DISK = "fill a node's disk for checkpoints"
    CUT = "cut two nodes off from each other"


_WEIGHTS = {
    Kind.JOB: 6,
    Kind.SERVICE: 3,
    Kind.POWER: 4,
    Kind.LINK: 3,
    Kind.CLIENT: 2,
    Kind.FREEZE_JOB: 1,
    Kind.FREEZE_NODE: 2,
    Kind.FREEZE_CLIENT: 1,
    Kind.DISK: 1,
    Kind.CUT: 3,
}
_DISK_SECONDS = 2.5
"""A job stores its state every second: a disk that is full for less time is hardly noticed."""
_CUT_SECONDS = (2.0, 10.0)
"""One that heals by itself, and one after which a job has to move."""
_OF_JOBS = (Kind.JOB, Kind.FREEZE_JOB)


@dataclass(frozen=True)
class Fault:
    """One fault. `target` is the id of a job, or says which of the nodes that have jobs; the client has none.

    It begins `pause` seconds after the stream has recovered from the one before, or, when `at_once`, after that one began.
    What can be healed is healed after `seconds`: links, frozen processes, services and clients that start again.
    """

    kind: Kind
    target: int
    pause: float
    seconds: float
    at_once: bool

    def __str__(self) -> str:
        target = f" {self.target}" if self.kind in _OF_JOBS else ""
        when = "at once" if self.at_once else "then"
        return f"{when}, after {self.pause:.2f} s: {self.kind}{target}, for {self.seconds:.2f} s"


def random_faults(
    seed: int, network: NetworkPlan, count: int, kinds: tuple[Kind, ...] = tuple(Kind)
) -> tuple[Fault, ...]:
    """Return a plan of `count` faults of these kinds for a network."""
    random = Random(f"faults {seed}")
    weights = [_WEIGHTS[kind] for kind in kinds]
    faults = []
    for index in range(count):
        (kind,) = random.choices(kinds, weights)
        target = random.randint(1, len(network.jobs)) if kind in _OF_JOBS else random.randrange(100)
        at_once = index > 0 and random.random() < 0.25
        pause = random.uniform(0, 0.5) if at_once else random.uniform(0.2, 1.2)
        seconds = random.choice((0.1, 0.4, 0.8, 2.0, 3.0))
        if kind is Kind.DISK:
            seconds = max(seconds, _DISK_SECONDS)
        elif kind is Kind.CUT:
            seconds = random.choice(_CUT_SECONDS)
        faults.append(Fault(kind, target, pause, seconds, at_once))
    return tuple(faults)


def seconds_of(faults: tuple[Fault, ...]) -> float:
    """About how long a stream must be for all of these faults to meet it."""
    cuts = sum(fault.seconds for fault in faults if fault.kind is Kind.CUT)
    return 1.0 + cuts + sum(fault.pause + (0.3 if fault.at_once else 1.6) for fault in faults)
