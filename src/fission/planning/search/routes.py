"""Routes data from its host to the nodes that need it: multicast trees over as few transmissions as possible."""

from itertools import pairwise

from fission.planning.search.slots import Sending
from fission.planning.search.tables import FAR, Tables, members

__all__ = ["route"]


def route(tables: Tables, host: list[int], wanted: list[int], degree: list[int]) -> list[Sending] | None:
    """Return transmissions that bring the data of each block to `wanted`; None when a node is out of reach.

    `degree` has the transmissions and receptions that each node has at least; paths avoid busy nodes. Direct transmissions
    stay one hop, because a relay costs two slots of a further node.
    """
    found: list[Sending] = []
    far: list[int] = []
    for block, targets in enumerate(wanted):
        if not targets:
            continue
        if targets & ~tables.reach[block][host[block]]:
            far.append(block)
        else:
            found.append((host[block], block, targets))
    if far:
        load = list(degree)
        for block in far:
            tree = _tree(tables, block, host[block], wanted[block], load)
            if tree is None:
                return None
            found.extend(tree)
    return found


def _tree(tables: Tables, block: int, root: int, targets: int, load: list[int]) -> list[Sending] | None:
    """Grow a tree by the cheapest path to the next target, the farthest first. Adds its relays to `load`."""
    reach, hops = tables.reach[block], tables.hops[block][root]
    children: dict[int, int] = {root: 0}
    parent: dict[int, int] = {root: root}
    for target in sorted(members(targets), key=lambda y: -hops[y]):
        if hops[target] >= FAR:
            return None
        if target in parent:
            continue
        path = _path(tables.n, reach, children, parent, target, load)
        for sender, receiver in pairwise(path):
            if not children.get(sender):
                children[sender] = 0
                if sender != root:
                    load[sender] += 1
            children[sender] |= 1 << receiver
            parent[receiver] = sender
            if not targets >> receiver & 1:
                load[receiver] += 1
    return [(sender, block, receivers) for sender, receivers in children.items() if receivers]


def _path(
    n: int, reach: list[int], children: dict[int, int], parent: dict[int, int], target: int, load: list[int]
) -> list[int]:
    """Return the cheapest path from the tree to `target` (Dijkstra). A node that already sends is free."""
    cost = [float(FAR)] * n
    before = [-1] * n
    for x in parent:
        cost[x] = 0.0
    left = (1 << n) - 1
    while left:
        x = min(members(left), key=cost.__getitem__)
        if x == target:
            break
        left &= ~(1 << x)
        step = cost[x] + (0.1 if children.get(x) else 1.0 + 0.25 * load[x])
        for y in members(reach[x] & left):
            price = step + 0.25 * load[y]
            if price < cost[y] and y not in parent:
                cost[y], before[y] = price, x
    path = [target]
    while path[-1] not in parent:
        path.append(before[path[-1]])
    return path[::-1]
