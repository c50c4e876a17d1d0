"""Nodes, links, and entries of NODES."""

import math

import pytest

from fission.core.groups import LOCAL
from fission.core.nodes import BaseNode, LocalNode, MultiNode, NodeInfo
from fission.placement import BEST_TQ, Links, NodeState, node_state
from fission.placement.model import between, by_address

IDLE = NodeInfo(cpu=100.0, memory=0, disk=0, swap=0.0)


@pytest.mark.parametrize("address", ["", LOCAL])
def test_a_node_has_an_address_of_its_own(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        NodeState(address, IDLE)


def test_slots_are_counts() -> None:
    with pytest.raises(ValueError, match="-1 slots"):
        NodeState("10.0.0.2", IDLE, slots=-1)
    with pytest.raises(ValueError, match="-2 occupied"):
        NodeState("10.0.0.2", IDLE, occupied=-2)


def test_a_node_is_called_by_address_or_name() -> None:
    node = NodeState("10.0.0.2", IDLE, name="left ear")
    assert node.is_called("10.0.0.2")
    assert node.is_called("left ear")
    assert not node.is_called("10.0.0.20")
    assert not NodeState("10.0.0.2", IDLE).is_called("")


def test_addresses_are_in_the_order_of_numbers() -> None:
    addresses = ["10.0.0.10", "pi-2", "10.0.0.2", "fd00::1", "pi-10", "10.0.0.1"]
    ordered = sorted((NodeState(one, IDLE) for one in addresses), key=by_address)
    assert [node.address for node in ordered] == [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.10",
        "fd00::1",
        "pi-2",
        "pi-10",
    ]


def test_a_link_that_nobody_knows_is_perfect() -> None:
    assert Links().quality("10.0.0.2", "10.0.0.3") == BEST_TQ
    assert Links({("10.0.0.2", "10.0.0.2"): 3}).quality("10.0.0.2", "10.0.0.2") == BEST_TQ


def test_each_direction_has_its_quality_and_one_stands_for_both() -> None:
    links = Links({("a", "b"): 100, ("b", "a"): 50, ("a", "c"): 10})
    assert links.quality("a", "b") == 100
    assert links.quality("b", "a") == 50
    assert links.quality("c", "a") == 10


def test_the_client_is_known_by_its_address() -> None:
    links = Links({("10.0.0.2", "10.0.0.1"): 90}, client="10.0.0.1")
    assert links.quality("10.0.0.2", LOCAL) == 90
    assert links.quality(LOCAL, "10.0.0.2") == 90
    assert links.quality(LOCAL, LOCAL) == BEST_TQ
    assert links.quality(LOCAL, "10.0.0.1") == BEST_TQ


def test_the_mean_quality_is_over_all_others() -> None:
    links = Links({("a", "b"): 100, ("a", "c"): 50})
    assert links.mean_quality("a", ["b", "c"]) == 75
    assert links.mean_quality("a", ["a", "b"]) == (BEST_TQ + 100) / 2
    assert links.mean_quality("a", []) == BEST_TQ


@pytest.mark.parametrize(
    ("value", "expected"), [(-1, 0), (300, 255), (12.5, 12.5), (math.nan, 0), (math.inf, 255)]
)
def test_measured_values_stay_in_their_range(value: float, expected: float) -> None:
    assert between(value, 0, 255) == expected
    assert Links({("a", "b"): value}).quality("a", "b") == expected


def test_a_machine_gets_what_its_entry_and_the_patterns_say() -> None:
    entries = [
        MultiNode("192.168.4.*", "pis", max_jobs=2),
        BaseNode("192.168.4.7", "ears", name="left", max_jobs=3),
        MultiNode("10.*", "others"),
        LocalNode("192.168.4.7"),
    ]
    state = node_state(entries, "192.168.4.7", IDLE, slots=8, groups=["arm"], occupied=1, active=False)
    assert state == NodeState("192.168.4.7", IDLE, "left", frozenset({"ears", "pis", "arm"}), 3, 1, False)


def test_a_machine_that_only_a_pattern_knows_has_no_name_and_its_own_slots() -> None:
    state = node_state([MultiNode("192.168.4.*")], "192.168.4.9", IDLE, slots=8)
    assert state == NodeState("192.168.4.9", IDLE, slots=8)


def test_a_machine_that_nodes_does_not_have_is_no_node() -> None:
    assert node_state([MultiNode("192.168.4.*"), LocalNode()], "127.0.0.1", IDLE, slots=8) is None
