"""Small networks and nodes for the tests of placement."""

from collections.abc import Callable, Iterator

import pytest

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.placement import NodeState


@pytest.fixture(autouse=True)
def _empty_registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


@pytest.fixture
def chain() -> Callable[..., Network]:
    """A function: job classes become a chain of jobs, joined one to the next."""

    def build(*kinds: type[PythonJob]) -> Network:
        pipes = [PicklePipe(100 + index) for index in range(len(kinds) - 1)]
        jobs = [
            kind(inputs=pipes[max(index - 1, 0) : index], outputs=pipes[index : index + 1])
            for index, kind in enumerate(kinds)
        ]
        return Network.build("net", jobs)[0]

    return build


@pytest.fixture
def node() -> Callable[..., NodeState]:
    """A function: the last byte of an address, and what differs from an idle node with two slots."""

    def build(
        number: int,
        *groups: str,
        cpu: float = 100.0,
        swap: float = 0.0,
        slots: int = 2,
        occupied: int = 0,
        active: bool = True,
        name: str = "",
    ) -> NodeState:
        info = NodeInfo(cpu=cpu, memory=1 << 30, disk=1 << 30, swap=swap)
        return NodeState(f"10.0.0.{number}", info, name, frozenset(groups), slots, occupied, active)

    return build
