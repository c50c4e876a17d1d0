"""Say in one text why jobs found no node."""

from collections.abc import Iterable, Sequence

from fission.core.groups import ALL, LOCAL
from fission.core.network import Network
from fission.errors import AllocationError
from fission.placement.model import NodeState
from fission.placement.result import Placement, Reason, Verdict
from fission.placement.wish import Wish

_ORDER = (Verdict.DOWN, Verdict.FULL, Verdict.NOT_IN_GROUP, Verdict.NOT_DEFAULT)


def allocation_error(network: Network, placement: Placement, nodes: Iterable[NodeState]) -> AllocationError:
    """Make the error that names every job without a node, what it asked for, and why each node was refused.

    Jobs that asked for the same and were refused for the same reasons share one sentence.
    """
    jobs = {job.id: job for job in network.jobs}
    alike: dict[tuple[Wish, str], list[str]] = {}
    for decision in placement.unplaced:
        wish = Wish.of(jobs[decision.job])
        alike.setdefault((wish, refusals(decision.reasons)), []).append(decision.name)
    sentences = [f"{_named(names)} ({wish}): {why}" for (wish, why), names in alike.items()]
    count = len(placement.unplaced)
    return AllocationError(
        f"no node for {count} of {len(placement.decisions)} jobs: " + " | ".join(sentences),
        where=f"network {network.name}",
        hint=_hint([wish for wish, _ in alike], list(nodes)),
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


def _hint(wishes: Sequence[Wish], nodes: Sequence[NodeState]) -> str:
    """Guess the mistake: a group or an address that no node has, no default node, or too few slots."""
    known = sorted({group for node in nodes for group in node.groups} - {ALL})
    asked = dict.fromkeys(group for wish in wishes for group in wish.groups)
    missing = [repr(group) for group in asked if group not in known and group not in (ALL, LOCAL)]
    strict = [wish.default for wish in wishes if not wish.groups]
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
