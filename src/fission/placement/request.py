"""What a job asks for: its DEFAULT_NODE and its GROUPS, in one form."""

from dataclasses import dataclass
from typing import Self

from fission.core.groups import ALL, LOCAL, names
from fission.core.jobs import BaseJob
from fission.placement.model import NodeState


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """`default` is an address or a name ("" for none); `groups` is in order of preference."""

    default: str
    groups: tuple[str, ...]

    @classmethod
    def of(cls, job: BaseJob) -> Self:
        """Read the request of a job; an empty name of a group is no group."""
        return cls(job.DEFAULT_NODE or "", tuple(filter(None, names(job.GROUPS))))

    @property
    def is_local(self) -> bool:
        """Whether the job can only run on the client."""
        return self.groups == (LOCAL,) or self.default == LOCAL

    def is_default(self, node: NodeState) -> bool:
        """Whether `node` is the DEFAULT_NODE."""
        return self.default != "" and node.is_called(self.default)

    def group_of(self, node: NodeState) -> str:
        """Tell the first of the job's groups that `node` is in; "" if there is none."""
        for group in self.groups:
            if group == ALL or group in node.groups:
                return group
        return ""

    def allows(self, node: NodeState) -> bool:
        """Whether the job may run on `node` at all."""
        return self.group_of(node) != "" or self.is_default(node)

    def __str__(self) -> str:
        groups = f"GROUPS = {self.groups[0]!r}" if len(self.groups) == 1 else f"GROUPS = {list(self.groups)}"
        return f"DEFAULT_NODE = {self.default!r}, {groups}" if self.default else groups
