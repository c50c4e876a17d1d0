"""Routes data from its host to the nodes that need it: multicast trees over as few transmissions as possible."""

from heapq import heappop, heappush
from itertools import pairwise

from fission.planning.search.slots import Sending
from fission.planning.search.tables import FAR, Tables, members

__all__ = ["route"]

_MAX_TREES = 50_000
"""Trees that are remembered."""


def route(
    tables: Tables, host: list[int], wanted: list[int], degree: list[int], detour: float
) -> list[Sending] | None:
    """Return transmissions that bring the data of each block to `wanted`; None when a node is out of reach.

    `degree` has the transmissions and receptions that each node has at least; paths avoid busy nodes, the more the larger
    `detour` is. Direct transmissions stay one hop, because a relay costs two slots of a further node.
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
            if detour:
                tree = _tree(tables, block, host[block], wanted[block], load, detour)
            else:
                tree = _shortest_tree(tables, block, host[block], wanted[block])
            if tree is None:
                return None
            found.extend(tree)
    return found


def _shortest_tree(tables: Tables, block: int, root: int, targets: int) -> list[Sending] | None:
    """Return a tree that does not depend on loads, so it is computed once."""
    key = (block, root, targets)
    if key not in tables.trees:
        if len(tables.trees) > _MAX_TREES:
            tables.trees.clear()
        tables.trees[key] = _tree(tables, block, root, targets, [0] * tables.n, 0.0)
    return tables.trees[key]


def _tree(
    tables: Tables, block: int, root: int, targets: int, load: list[int], detour: float
) -> list[Sending] | None:
    """Grow a tree by the cheapest path to the next target, the farthest first. Adds its relays to `load`."""
    reach, hops = tables.reach[block], tables.hops[block][root]
    children: dict[int, int] = {root: 0}
    parent: dict[int, int] = {root: root}
    for target in sorted(members(targets), key=lambda y: -hops[y]):
        if hops[target] >= FAR:
            return None
        if target in parent:
            continue
        price = [0.0 if targets >> y & 1 else detour * load[y] for y in range(tables.n)]
        path = _path(tables.n, reach, children, parent, target, price)
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
    n: int,
    reach: list[int],
    children: dict[int, int],
    parent: dict[int, int],
    target: int,
    price: list[float],
) -> list[int]:
    """Return the cheapest path from the tree to `target` (Dijkstra).

    A transmission costs 1, or little if the node sends already; `price` comes on top for a node that receives or sends more.
    """
    cost = [float(FAR)] * n
    before = [-1] * n
    tree = 0
    for x in parent:
        cost[x] = 0.0
        tree |= 1 << x
    border = [(0.0, x) for x in parent]
    while True:
        paid, x = heappop(border)
        if x == target:
            break
        if paid > cost[x]:
            continue
        step = paid + (0.1 if children.get(x) else 1.0 + price[x])
        for y in members(reach[x] & ~tree):
            total = step + price[y]
            if total < cost[y]:
                cost[y], before[y] = total, x
                heappush(border, (total, y))
    path = [target]
    while path[-1] not in parent:
        path.append(before[path[-1]])
    return path[::-1]
