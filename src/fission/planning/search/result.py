"""From indices back to names: what the search found, as an embedding."""

from collections.abc import Sequence

from fission.planning.model import Embedding, Transmission
from fission.planning.search.slots import Sending
from fission.planning.search.tables import Tables, members

__all__ = ["to_embedding"]


def to_embedding(
    tables: Tables, host: Sequence[int], schedule: Sequence[Sequence[Sending]], bound: int
) -> Embedding:
    """Return the embedding, with the shortest route of each link over the hops of the schedule."""
    nodes, blocks = tables.nodes, tables.blocks
    hops: list[dict[int, int]] = [{} for _ in blocks]
    for slot in schedule:
        for sender, block, receivers in slot:
            hops[block][sender] = hops[block].get(sender, 0) | receivers
    routes = {
        (blocks[source], blocks[target]): tuple(
            nodes[x] for x in _shortest(hops[source], host[source], host[target])
        )
        for source, target in tables.links
        if host[source] != host[target]
    }
    return Embedding(
        {blocks[block]: nodes[node] for block, node in enumerate(host)},
        tuple(
            tuple(
                Transmission(nodes[sender], blocks[block], tuple(nodes[y] for y in members(receivers)))
                for sender, block, receivers in slot
            )
            for slot in schedule
        ),
        routes,
        bound,
    )


def _shortest(hops: dict[int, int], start: int, goal: int) -> list[int]:
    before = {start: start}
    border = [start]
    for x in border:
        for y in members(hops.get(x, 0)):
            if y not in before:
                before[y] = x
                border.append(y)
    path = [goal]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]
