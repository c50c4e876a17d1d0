"""Which entries of NODES stand for a machine that has answered: its own, and every pattern that matches."""

from collections.abc import Iterable

from fission.core.groups import ALL
from fission.core.nodes import BaseNode, LocalNode, MultiNode, NodeInfo
from fission.placement.model import NodeState


def node_state(
    entries: Iterable[BaseNode],
    address: str,
    info: NodeInfo,
    *,
    slots: int,
    groups: Iterable[str] = (),
    occupied: int = 0,
    active: bool = True,
) -> NodeState | None:
    """Merge the entries of NODES about a machine with its own report; None if NODES does not have it.

    A BaseNode with this address and all MultiNodes that match it count. Its groups are those of all of them
    and the ones that the machine was given itself (`groups`). Its slots are the first `max_jobs` that stands
    there, in the machine's own entry before the patterns, else its own value (`slots`).
    """
    found = [one for one in entries if not isinstance(one, LocalNode) and one.matches(address)]
    if not found:
        return None
    found.sort(key=lambda one: isinstance(one, MultiNode))
    own = "" if isinstance(found[0], MultiNode) else found[0].name
    limits = [one.max_jobs for one in found if one.max_jobs is not None]
    return NodeState(
        address=address,
        info=info,
        name=own,
        groups=frozenset(group for one in found for group in one.groups).union(groups) - {ALL},
        slots=limits[0] if limits else slots,
        occupied=occupied,
        active=active,
    )
