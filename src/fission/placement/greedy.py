"""The placement rules of the public system: one job after another, each onto the best node that is left.

For each job: its DEFAULT_NODE if that is up and not full; else, group after group in the job's order, the
best node of the group that is up and not full, where the job's `preference` may choose among them.

A job that is placed stays there, so the order matters: local jobs, jobs that only one node can take, jobs
with a DEFAULT_NODE, then those with the fewest possible nodes; by id where that is equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from fission.core.groups import LOCAL
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.placement.explain import allocation_error
from fission.placement.model import Links, NodeState, between, by_address
from fission.placement.preference import preferred
from fission.placement.request import PlacementRequest
from fission.placement.result import Decision, Placement, Reason, Rule, Score, Verdict

_NOTHING: Mapping[int, str] = MappingProxyType({})


def place(
    network: Network,
    nodes: Iterable[NodeState],
    links: Links,
    *,
    fixed: Mapping[int, str] = _NOTHING,
    only: Iterable[int] | None = None,
) -> Placement:
    """Place all jobs of a network, or only those with the ids `only`, on nodes.

    `fixed` (job id to node address or `LOCAL`) are jobs that run already: they keep their node, whatever
    its state, and take a slot there. At failover give the jobs that live on as `fixed` and the lost ones as
    `only`. Jobs that are in neither are left out. Without `only` all jobs that are not fixed are placed.

    Raises AllocationError if a job finds no node, naming all such jobs at once; JobDefinitionError if a
    job's `preference` fails; ValueError for unknown ids, two nodes with one address, or a job that is fixed
    and to be placed. `propose` places what can be placed instead.
    """
    nodes = tuple(nodes)
    placement = propose(network, nodes, links, fixed=fixed, only=only)
    if placement.unplaced:
        raise allocation_error(network, placement, nodes)
    return placement


def propose(
    network: Network,
    nodes: Iterable[NodeState],
    links: Links,
    *,
    fixed: Mapping[int, str] = _NOTHING,
    only: Iterable[int] | None = None,
) -> Placement:
    """Do what `place` does, but keep jobs that find no node as `unplaced` instead of raising."""
    jobs = {job.id: job for job in network.jobs}
    wanted = jobs.keys() - fixed.keys() if only is None else set(only)
    if unknown := (wanted | fixed.keys()) - jobs.keys():
        raise ValueError(f"no such jobs in network {network.name}: {sorted(unknown)}")
    if both := wanted & fixed.keys():
        raise ValueError(f"jobs that are fixed cannot be placed: {sorted(both)}")
    board = _Board(network, nodes, links, fixed)
    decisions = [Decision(job, jobs[job].name, node, Rule.FIXED) for job, node in fixed.items()]
    decisions += [board.place(job, request) for job, request in board.in_order(jobs[one] for one in wanted)]
    return Placement(tuple(sorted(decisions, key=lambda one: one.job)))


class _Board:
    """The slots while they fill up."""

    def __init__(
        self, network: Network, nodes: Iterable[NodeState], links: Links, fixed: Mapping[int, str]
    ) -> None:
        self._nodes = sorted(nodes, key=by_address)
        self._links = links
        self._where = dict(fixed)
        self._free = {node.address: max(node.slots - node.occupied, 0) for node in self._nodes}
        if len(self._free) < len(self._nodes):
            raise ValueError("two nodes have the same address")
        for address in fixed.values():
            if address in self._free:
                self._free[address] = max(self._free[address] - 1, 0)
        self._neighbors: dict[int, set[int]] = {job.id: set() for job in network.jobs}
        for edge in network.edges:
            self._neighbors[edge.source].add(edge.destination)
            self._neighbors[edge.destination].add(edge.source)

    def in_order(self, jobs: Iterable[BaseJob]) -> list[tuple[BaseJob, PlacementRequest]]:
        """Sort jobs as they are to be placed."""
        wishes = [(job, PlacementRequest.of(job)) for job in jobs]
        free = [node for node in self._nodes if node.active and self._free[node.address]]
        possible: dict[PlacementRequest, int] = {}
        for _, request in wishes:
            if request not in possible:
                possible[request] = sum(request.allows(node) for node in free) + (LOCAL in request.groups)

        def key(one: tuple[BaseJob, PlacementRequest]) -> tuple[int, int, int]:
            job, request = one
            if request.is_local:
                return 0, 0, job.id
            if possible[request] <= 1:
                return 1, 0, job.id
            return (2, 0, job.id) if request.default else (3, possible[request], job.id)

        return sorted(wishes, key=key)

    def place(self, job: BaseJob, request: PlacementRequest) -> Decision:
        """Give one job a node, if there is one, and take the slot."""
        if request.is_local:
            decision = Decision(job.id, job.name, LOCAL, Rule.LOCAL, LOCAL)
        else:
            seen = self._look(job, request)
            decision = self._decide(job, request, seen)
        if decision.node is not None:
            self._where[job.id] = decision.node
            if decision.node != LOCAL:
                self._free[decision.node] -= 1
        return decision

    def _look(self, job: BaseJob, request: PlacementRequest) -> list[Reason]:
        """Weigh or refuse every node."""
        peers = sorted({self._where[one] for one in self._neighbors[job.id] if one in self._where})
        return [self._weigh(node, request, peers) for node in self._nodes]

    def _weigh(self, node: NodeState, request: PlacementRequest, peers: Sequence[str]) -> Reason:
        free = self._free[node.address]
        group = request.group_of(node)
        score = None
        if not group and not request.is_default(node):
            verdict = Verdict.NOT_IN_GROUP if request.groups else Verdict.NOT_DEFAULT
        elif not node.active:
            verdict = Verdict.DOWN
        elif not free:
            verdict = Verdict.FULL
        else:
            verdict = Verdict.POSSIBLE
            info = node.info
            score = Score(
                tq=self._links.mean_quality(node.address, peers),
                cpu=between(info.cpu, 0.0, 100.0),
                swap=between(info.swap, 0.0, 100.0),
                free=free,
            )
        return Reason(node.address, verdict, group, free, node.slots, score)

    def _decide(self, job: BaseJob, request: PlacementRequest, seen: list[Reason]) -> Decision:
        """Choose among the nodes that are possible."""
        possible = [index for index, reason in enumerate(seen) if reason.score is not None]
        default = [index for index in possible if request.is_default(self._nodes[index])]
        if default:
            return self._chosen(job, seen, _best(seen, default), Rule.DEFAULT)
        for group in request.groups:
            if group == LOCAL:
                return Decision(job.id, job.name, LOCAL, Rule.LOCAL, LOCAL, tuple(seen))
            candidates = [index for index in possible if seen[index].group == group]
            if candidates:
                index = preferred(job, [(self._nodes[one], seen[one]) for one in candidates])
                if index is None:
                    return self._chosen(job, seen, _best(seen, candidates), Rule.SCORE)
                return self._chosen(job, seen, candidates[index], Rule.PREFERENCE)
        return Decision(job.id, job.name, None, Rule.NONE, reasons=tuple(seen))

    @staticmethod
    def _chosen(job: BaseJob, seen: list[Reason], index: int, rule: Rule) -> Decision:
        one = seen[index] = replace(seen[index], verdict=Verdict.CHOSEN)
        group = "" if rule is Rule.DEFAULT else one.group
        return Decision(job.id, job.name, one.node, rule, group, tuple(seen))


def _best(seen: Sequence[Reason], candidates: Sequence[int]) -> int:
    """Find the candidate with the highest score; of equal ones the first address."""
    return max(candidates, key=lambda index: seen[index].value)
