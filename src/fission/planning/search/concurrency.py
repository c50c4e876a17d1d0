"""How many nodes can send at the same time: part of the lower bound."""

from fission.planning.search.tables import Tables

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
        self.together = [0] * tables.n
        for x in range(tables.n):
            for y in range(x + 1, tables.n):
                if self._possible((x, y)):
                    self.together[x] |= 1 << y
                    self.together[y] |= 1 << x
        self._sets = 0
        self.most = self._most()

    def _possible(self, senders: tuple[int, ...]) -> bool:
        gain = self._gain
        for x in senders:
            others = [gain[k] for k in senders if k != x]
            budget = self._budget[x]
            for y in range(self._n):
                if y not in senders and budget[y] >= sum(row[y] for row in others):
                    break
            else:
                return False
        return True

    def _most(self) -> int:
        best = 1
        border: list[tuple[int, ...]] = [
            (x, y) for x in range(self._n) for y in range(x + 1, self._n) if self.together[x] >> y & 1
        ]
        while border:
            best += 1
            following = []
            for senders in border:
                for y in range(senders[-1] + 1, self._n):
                    if all(self.together[x] >> y & 1 for x in senders):
                        self._sets += 1
                        if self._possible((*senders, y)):
                            following.append((*senders, y))
            if self._sets > _MAX_SETS:
                return max(best, self._n // 2)
            border = following
        return best
