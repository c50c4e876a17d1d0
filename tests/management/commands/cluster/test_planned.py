"""`run --plan`: jobs go where a plan says, and a plan that does not fit the network is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.nodes import BaseNode, NodeInfo
from fission.errors import UserError
from fission.management.commands.cluster.planned import place_as_planned
from fission.placement import Links, NodeState, place


class Worker(PythonJob):
    """A job that may run anywhere."""


class Screen(PythonJob):
    """A job of the client."""

    GROUPS = "LOCAL"


@pytest.fixture(autouse=True)
def _empty_registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


@pytest.fixture
def network() -> Network:
    jobs = [Worker(name="first"), Worker(name="second"), Screen(name="screen")]
    return Network(
        name="demo", nodes=(BaseNode("10.0.0.1", name="left"), BaseNode("10.0.0.2")), jobs=tuple(jobs)
    )


def plan(folder: Path, **placement: str) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({"placement": placement, "schedule": [], "routes": [], "bound": 0}))
    return path


def placed(network: Network, *up: str) -> dict[str, str]:
    names = {node.ip: node.name for node in network.nodes}
    states = [
        NodeState(address, NodeInfo(1, 2, 3, 4), name=name, groups=frozenset(), slots=4, active=address in up)
        for address, name in names.items()
    ]
    found = place(network, states, Links({}, "10.0.0.9"))
    return {job.name: found.nodes[job.id] for job in network.jobs}


@pytest.mark.parametrize("name", ["10.0.0.1", "left"])
def test_jobs_go_where_the_plan_says(network: Network, tmp_path: Path, name: str) -> None:
    place_as_planned(network, plan(tmp_path, first="10.0.0.2", second=name, screen="LOCAL"))
    up = placed(network, "10.0.0.1", "10.0.0.2")
    assert (up["first"], up["second"]) == ("10.0.0.2", "10.0.0.1")
    place_as_planned(network, plan(tmp_path, first=name, second="10.0.0.2"))
    up = placed(network, "10.0.0.1", "10.0.0.2")
    assert (up["first"], up["second"]) == ("10.0.0.1", "10.0.0.2")


def test_a_planned_node_that_is_down_is_replaced(network: Network, tmp_path: Path) -> None:
    place_as_planned(network, plan(tmp_path, first="10.0.0.2"))
    assert placed(network, "10.0.0.1")["first"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("placement", "text"),
    [
        ({"frist": "left"}, "placement of frist: the network demo has no such job"),
        ({"first": "10.0.0.7"}, "placement of first: 10.0.0.7 is not in NODES"),
        ({"screen": "left"}, "placement of screen: the job runs on the client only, not on left"),
    ],
)
def test_plans_that_do_not_fit(
    network: Network, tmp_path: Path, placement: dict[str, str], text: str
) -> None:
    with pytest.raises(UserError) as caught:
        place_as_planned(network, plan(tmp_path, **placement))
    assert text in str(caught.value)


def test_nodes_of_this_machine_are_not_in_nodes(network: Network, tmp_path: Path) -> None:
    place_as_planned(network, plan(tmp_path, first="127.0.0.3"), embedded=True)
    assert network.jobs[0].DEFAULT_NODE == "127.0.0.3"
