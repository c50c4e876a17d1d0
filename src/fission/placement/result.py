"""The output of placement: for every job a node, and for every node the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fission.placement.model import BEST_TQ


class Verdict(StrEnum):
    """What became of one node when one job was placed; the value is how people read it."""

    CHOSEN = "chosen"
    POSSIBLE = "possible"
    DOWN = "down"
    FULL = "full"
    NOT_IN_GROUP = "not in group"
    NOT_DEFAULT = "not the default node"

    @property
    def refused(self) -> bool:
        """Whether the job could not have been placed there."""
        return self not in (Verdict.CHOSEN, Verdict.POSSIBLE)


class Rule(StrEnum):
    """Why a job is where it is."""

    LOCAL = "runs on the client"
    FIXED = "stays where it is"
    DEFAULT = "default node"
    PREFERENCE = "its own preference"
    SCORE = "best score"
    NONE = "no node"


@dataclass(frozen=True, slots=True)
class Score:
    """The seed's score of a node for a job, and its parts.

    `tq` (0 to 255) is the mean transmit quality to the nodes of the job's neighbors, `cpu` the free part and
    `swap` the used part in percent, `free` the slots that were free before the job was placed.
    """

    tq: float
    cpu: float
    swap: float
    free: int

    @property
    def value(self) -> float:
        """The score; the higher the better."""
        return (self.tq / BEST_TQ * 100 + self.cpu + (100 - self.swap)) / 3 * self.free

    def __str__(self) -> str:
        return (
            f"{self.value:.1f} = (link {self.tq / BEST_TQ * 100:.0f} + cpu {self.cpu:.0f}"
            f" + swap {100 - self.swap:.0f}) / 3 x {self.free} free"
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """One node as one job saw it: a score, or why it was refused.

    `group` is the first of the job's groups that the node is in, "" if there is none; `free` of `slots` were
    free before the job was placed.
    """

    node: str
    verdict: Verdict
    group: str
    free: int
    slots: int
    score: Score | None

    @property
    def value(self) -> float:
        """The value of the score; 0 for a node that was refused."""
        return 0.0 if self.score is None else self.score.value

    def __str__(self) -> str:
        if self.verdict is Verdict.FULL:
            return f"full ({self.slots} of {self.slots} slots)" if self.slots else "full (it has no slots)"
        if self.score is None:
            return str(self.verdict)
        return f"{self.verdict}, {self.score}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one job goes: `node` is an address, or `LOCAL`, or None if no node takes it.

    `group` is the group through which it got there, "" where no group was asked. `reasons` has every node in
    the order of addresses; it is empty for jobs that are fixed or local, because nothing was weighed.
    """

    job: int
    name: str
    node: str | None
    rule: Rule
    group: str = ""
    reasons: tuple[Reason, ...] = ()

    @property
    def chosen(self) -> Reason | None:
        """The line of the chosen node, if nodes were weighed and one was taken."""
        return next((reason for reason in self.reasons if reason.verdict is Verdict.CHOSEN), None)


@dataclass(frozen=True, slots=True)
class Placement:
    """One decision per job, in the order of job ids."""

    decisions: tuple[Decision, ...]

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.decisions)

    @property
    def nodes(self) -> Mapping[int, str]:
        """The node's address (or `LOCAL`) by job id, without the jobs that have none."""
        return {one.job: one.node for one in self.decisions if one.node is not None}

    @property
    def unplaced(self) -> tuple[Decision, ...]:
        """The jobs that no node takes."""
        return tuple(one for one in self.decisions if one.node is None)
