"""What travels through the chain, and what one run measures.

Imported by the measured processes too, so it costs next to nothing: named tuples, no dataclasses, no numpy.
"""

from typing import NamedTuple


class Workload(NamedTuple):
    """One kind of block."""

    name: str
    title: str
    elements: int
    """Number of float64 in the array; 0 means that a block is a Python int."""
    rate: float
    """Blocks per second when latency is measured."""
    mark: int
    """The clock is read every so many blocks (a power of two), so that reading it costs nothing per block."""
    batch: int
    """Blocks per write of the batched bare loop; 1 where a batch is pointless."""

    @property
    def nbytes(self) -> int:
        """Size of one block in bytes (8 for an int)."""
        return 8 * max(1, self.elements)

    @property
    def queue(self) -> int:
        """Blocks that a peer may queue per pipe: as many as fit 16 MiB (what FISSION retains), 4 to 1,000."""
        return max(4, min(1000, (16 << 20) // self.nbytes))


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("int", "int", 0, 100.0, 1024, 256),
        Workload("4k", "4 KB", 500, 100.0, 256, 64),
        Workload("1m", "1 MB", 131_072, 100.0, 16, 1),
        Workload("16m", "16 MB", 2_097_152, 20.0, 1, 1),
    )
}

KINDS = ("throughput", "latency", "start", "growth")


class Plan(NamedTuple):
    """One run: what is sent, how, and for how long. Travels to every measured process."""

    kind: str
    """One of KINDS."""
    workload: Workload
    warmup: float
    """Seconds after the first block at the sink that do not count."""
    seconds: float
    """Seconds that count."""

    @property
    def paced(self) -> bool:
        """Whether the source keeps to the workload's rate (else it sends as fast as it can)."""
        return self.kind in {"latency", "start"}

    @property
    def source_seconds(self) -> float:
        """How long the source sends: a little more than what counts, so that the end never falls into it."""
        return self.warmup + self.seconds + (0.0 if self.paced else 0.3)

    def to_text(self) -> str:
        """Return the plan as text for an environment variable."""
        return f"{self.kind} {self.workload.name} {self.warmup!r} {self.seconds!r}"

    @classmethod
    def from_text(cls, text: str) -> "Plan":
        """Read what `to_text` wrote; ValueError or KeyError when it is something else."""
        kind, workload, warmup, seconds = text.split()
        return cls(kind, WORKLOADS[workload], float(warmup), float(seconds))


PLAN_VARIABLE = "FISSION_BENCHMARK_PLAN"
