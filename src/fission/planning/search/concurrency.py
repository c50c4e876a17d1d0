"""How many nodes can send at the same time: part of the lower bound."""

from fission.planning.search.tables import Tables, members

__all__ = ["Concurrency"]

_MAX_SETS = 400
"""Sender sets that are tried; beyond them the weaker bound by the number of nodes is used."""


class Concurrency:
    """`most` bounds the senders of a slot; `together[x]` is the mask of nodes that may send while `x` does.

    A set of senders is possible when each has a receiver that tolerates all the others, for the least rate of all blocks.
    The condition is necessary for every slot of every embedding, so bounds that follow from it are valid.
    """

    def __init__(self, tables: Tables) -> None:
        self._n = tables.n
        self._gain = tables.gain
        self._budget = tables.budget[tables.most_tolerant]
        reach = tables.reach[tables.most_tolerant]
        self._near = []
        """Nodes in range of each, the nearest first: they are the likeliest to tolerate others."""
        for x, budget in enumerate(self._budget):
            self._near.append(sorted(members(reach[x]), key=budget.__getitem__, reverse=True))
        self.together = [0] * tables.n
        for x in range(tables.n):
            for y in range(x + 1, tables.n):
                if self._possible((x, y)):
                    self.together[x] |= 1 << y
                    self.together[y] |= 1 << x
        self.most = self._most()

    def _possible(self, senders: tuple[int, ...]) -> bool:
        """Whether each sender has a receiver outside of the set that tolerates the others together."""
        for x in senders:
            budget = self._budget[x]
            rows = [self._gain[k] for k in senders if k != x]
            for y in self._near[x]:
                left = budget[y]
                for row in rows:
                    left -= row[y]
                if left >= 0.0 and y not in senders:
                    break
            else:
                return False
        return True

    def _most(self) -> int:
        """Grow the sets by one sender after the other. A slot cannot have more senders than pairs of nodes, either."""
        most, best, tried = self._n // 2, 1, 0
        border: list[tuple[int, ...]] = [
            (x, y) for x in range(self._n) for y in range(x + 1, self._n) if self.together[x] >> y & 1
        ]
        while border and best < most:
            best += 1
            following = []
            for senders in border:
                common = -1
                for x in senders:
                    common &= self.together[x]
                for y in range(senders[-1] + 1, self._n):
                    if common >> y & 1:
                        tried += 1
                        if tried > _MAX_SETS:
                            return most
                        if self._possible((*senders, y)):
                            following.append((*senders, y))
            border = following
        return min(best, most)
