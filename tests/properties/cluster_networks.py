"""Small networks whose shapes matter to the coordinator."""

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe


class Plain(PythonJob):
    pass


class Near(PythonJob):
    GROUPS = "LOCAL"


class Choosy(PythonJob):
    GROUPS = ("fast",)


class Replayable(PythonJob):
    def snapshot(self) -> object:
        return None

    def restore(self, state: object) -> None:
        """Nothing to restore."""


class Loose(PicklePipe):
    ASYNC = True


def network(*jobs: tuple[type[PythonJob], str, str], nodes: tuple[object, ...] = ()) -> Network:
    """Jobs as (class, inputs, outputs); pipes are letters, capital ones asynchronous."""
    base.reset()

    def pipes(letters: str) -> list[PicklePipe]:
        return [(Loose if letter.isupper() else PicklePipe)(ord(letter)) for letter in letters]

    made = [kind(inputs=pipes(into), outputs=pipes(out_of)) for kind, into, out_of in jobs]
    return Network.build("net", made, nodes)[0]


def chain() -> Network:
    """A live source, a connector, a sink."""
    return network((Plain, "", "a"), (Plain, "a", "b"), (Plain, "b", ""))


def diamond() -> Network:
    """Two live sources and a replayable one, of which the first two meet in a join; the sink is on the client."""
    return network(
        (Plain, "", "a"),
        (Plain, "", "b"),
        (Replayable, "", "c"),
        (Plain, "ab", "d"),
        (Plain, "c", "e"),
        (Near, "d", ""),
        (Choosy, "e", ""),
    )


def loose() -> Network:
    """A loop through an asynchronous pipe, and a job that has asynchronous inputs only and feeds a join."""
    return network(
        (Plain, "", "a"),
        (Plain, "aX", "bY"),
        (Plain, "b", "Xc"),
        (Plain, "Y", "d"),
        (Plain, "cd", ""),
    )


SHAPES = (chain, diamond, loose)
