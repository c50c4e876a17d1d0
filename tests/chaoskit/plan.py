"""A random network as a value. Pure: the same seed always gives the same network.

Every job's blocks have a *divisor*: one block for so many rounds of the sources. A join takes `BLOCK_COUNT` blocks from each
input so that they cover the same rounds of the sources. Divisors divide 12, so that any of them meet in a join.
"""

import math
from dataclasses import dataclass
from random import Random

SOURCES = ("Counter", "Generator")
CONNECTORS = ("Map", "Sum", "Chance", "History", "Vector", "Explicit", "Prepared")
PIPES = ("number", "json", "blob", "array")
_MOST = 12


@dataclass(frozen=True)
class PipePlan:
    """One pipe. `kind` is one of PIPES, or "optional": never waited for, and without influence on what is computed."""

    id: int
    kind: str
    count: int
    size: int


@dataclass(frozen=True)
class JobPlan:
    """One job. `kind` names its class; `local` puts it on the client; `salt` makes its numbers its own."""

    kind: str
    inputs: tuple[PipePlan, ...]
    outputs: tuple[PipePlan, ...]
    local: bool
    salt: int


@dataclass(frozen=True)
class NetworkPlan:
    """A network. `rate` is the pace of its sources, in blocks per second."""

    seed: int
    jobs: tuple[JobPlan, ...]
    rate: int

    def ids(self, *, local: bool) -> tuple[int, ...]:
        """Return the ids of the jobs that run on the client, or of those that do not."""
        return tuple(id for id, job in enumerate(self.jobs, 1) if job.local == local)

    @property
    def sinks(self) -> tuple[int, ...]:
        """The ids of the jobs whose files are compared."""
        return tuple(id for id, job in enumerate(self.jobs, 1) if job.kind == "Sink")

    def __str__(self) -> str:
        kinds = ", ".join(f"{id} {job.kind}{'@client' * job.local}" for id, job in enumerate(self.jobs, 1))
        return f"network of seed {self.seed}: {kinds}; {self.rate} blocks/s"


@dataclass
class _Draft:
    kind: str
    inputs: list[PipePlan]
    outputs: list[PipePlan]
    divisor: int
    local: bool = False


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.jobs: list[_Draft] = []
        self.pipes = 100

    def source(self) -> None:
        local = self.random.random() < 0.15
        self.jobs.append(_Draft(self.random.choice(SOURCES), [], [], 1, local))

    def connector(self) -> None:
        count = self.random.choice((1, 1, 1, 2, 2, 3))
        senders = [self.random.choice(self.jobs) for _ in range(count)]
        divisor = math.lcm(*(one.divisor for one in senders)) * self.random.choice((1, 1, 1, 2, 3))
        while _MOST % divisor:
            divisor = math.lcm(*(one.divisor for one in senders))
        self.join(self.random.choice(CONNECTORS), senders, divisor)

    def sinks(self) -> None:
        """Connect every unread output to one sink or to two."""
        loose = [job for job in self.jobs if all(pipe.kind == "optional" for pipe in job.outputs)]
        cut = self.random.randint(1, len(loose))
        for part in (loose[:cut], loose[cut:]):
            if part:
                self.join("Sink", part, math.lcm(*(one.divisor for one in part)), local=True)

    def join(self, kind: str, senders: list[_Draft], divisor: int, *, local: bool = False) -> None:
        job = _Draft(kind, [], [], divisor, local)
        for sender in senders:
            self.pipe(sender, job, self.random.choice(PIPES), divisor // sender.divisor)
        self.jobs.append(job)

    def loop(self) -> None:
        """Add an optional pipe from a job back to one of its sources."""
        connectors = [job for job in self.jobs if job.kind in CONNECTORS]
        if len(connectors) > 1:
            first, last = sorted(self.random.sample(range(len(connectors)), 2))
            self.pipe(connectors[last], connectors[first], "optional", 1)

    def pipe(self, sender: _Draft, receiver: _Draft, kind: str, count: int) -> None:
        self.pipes += 1
        size = self.random.choice((1, 10, 100, 1000, 5000))
        plan = PipePlan(self.pipes, kind, count, size)
        sender.outputs.append(plan)
        receiver.inputs.append(plan)


def random_network(seed: int) -> NetworkPlan:
    """Make the network of this seed: one to three sources, two to six connectors, one or two sinks."""
    random = Random(f"network {seed}")
    maker = _Maker(random)
    for _ in range(random.choice((1, 1, 2, 3))):
        maker.source()
    for _ in range(random.randint(2, 6)):
        maker.connector()
    for _ in range(random.choice((0, 0, 1, 2))):
        maker.loop()
    maker.sinks()
    random.shuffle(maker.jobs)
    jobs = tuple(
        JobPlan(one.kind, tuple(one.inputs), tuple(one.outputs), one.local, random.randrange(1 << 20))
        for one in maker.jobs
    )
    return NetworkPlan(seed, jobs, random.choice((50, 100, 200, 400)))
