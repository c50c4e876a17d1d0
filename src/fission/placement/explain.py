"""Say in one text why jobs found no node."""

from collections.abc import Iterable, Sequence

from fission.core.groups import ALL, LOCAL
from fission.core.network import Network
from fission.errors import AllocationError
from fission.placement.model import NodeState
from fission.placement.request import PlacementRequest
from fission.placement.result import Placement, Reason, Verdict

_ORDER = (Verdict.DOWN, Verdict.FULL, Verdict.NOT_IN_GROUP, Verdict.NOT_DEFAULT)


def allocation_error(network: Network, placement: Placement, nodes: Iterable[NodeState]) -> AllocationError:
    """Make the error that names every job without a node, what it asked for, and why each node was refused.

    Jobs that asked for the same and were refused for the same reasons share one sentence.
    """
    jobs = {job.id: job for job in network.jobs}
    alike: dict[tuple[PlacementRequest, str], list[str]] = {}
    for decision in placement.unplaced:
        request = PlacementRequest.of(jobs[decision.job])
        alike.setdefault((request, refusals(decision.reasons)), []).append(decision.name)
    sentences = [f"{_named(names)} ({request}): {why}" for (request, why), names in alike.items()]
    count = len(placement.unplaced)
    return AllocationError(
        f"no node for {count} of {len(placement.decisions)} jobs: " + " | ".join(sentences),
        where=f"network {network.name}",
        hint=_hint([request for request, _ in alike], list(nodes)),
    )


def refusals(reasons: Sequence[Reason]) -> str:
    """Say why every node was refused, those with the same reason together."""
    parts = []
    for verdict in _ORDER:
        nodes = [
            f"{one.node} ({one.slots} of {one.slots} slots)" if verdict is Verdict.FULL else one.node
            for one in reasons
            if one.verdict is verdict
        ]
        if nodes:
            parts.append(f"{verdict}: {', '.join(nodes)}")
    return "; ".join(parts) or "there are no nodes"


def _named(names: Sequence[str]) -> str:
    return ("job " if len(names) == 1 else "jobs ") + ", ".join(repr(name) for name in names)


def _hint(wishes: Sequence[PlacementRequest], nodes: Sequence[NodeState]) -> str:
    """Guess the mistake: a group or an address that no node has, no default node, or too few slots."""
    known = sorted({group for node in nodes for group in node.groups} - {ALL})
    asked = dict.fromkeys(group for request in wishes for group in request.groups)
    missing = [repr(group) for group in asked if group not in known and group not in (ALL, LOCAL)]
    strict = [request.default for request in wishes if not request.groups]
    unknown = [repr(one) for one in dict.fromkeys(strict) if one and not any(n.is_called(one) for n in nodes)]
    if missing:
        return f"No node is in group {', '.join(missing)}; known: {', '.join(map(repr, known)) or 'none'}"
    if unknown:
        return f"No node is called {', '.join(unknown)}"
    if "" in strict:
        return "GROUPS = [] allows the DEFAULT_NODE only, and there is none"
    if nodes and all(node.active for node in nodes):
        return "Add nodes, or slots to nodes"
    return ""
