import pickle
from typing import Any

import pytest

from fission.core import base
from fission.core.groups import ALL, LOCAL, names
from fission.core.nodes import BaseNode, LocalNode, MultiNode, NodeInfo
from fission.errors import ConfigError


def test_names_of_groups() -> None:
    assert names("A") == ("A",)
    assert names(["B", "A", "B"]) == ("B", "A")
    assert names([]) == ()


def test_a_node_as_users_write_it() -> None:
    node = BaseNode("192.168.4.2")
    assert (node.ip, node.name, node.groups) == ("192.168.4.2", "192.168.4.2", (ALL,))
    assert (node.active, node.jobs, node.max_jobs, node.info) == (False, [], None, None)
    assert repr(node) == "BaseNode('192.168.4.2')"
    assert {"192.168.4.2": node} == base.NODES
    assert {ALL: [node]} == base.GROUPS


def test_groups_come_from_the_class_and_from_arguments() -> None:
    class MicrophoneNode(BaseNode):
        GROUPS = "MICROPHONE"

    node = MicrophoneNode("10.0.0.1", "FAST", ["BIG", "FAST"], name="kitchen", max_jobs=2)
    assert node.GROUPS == ("MICROPHONE", "FAST", "BIG")
    assert node.groups == ("MICROPHONE", "FAST", "BIG", ALL)
    other = MicrophoneNode("10.0.0.2")
    assert base.GROUPS["MICROPHONE"] == [node, other]
    assert base.GROUPS["BIG"] == [node]
    assert node.name == "kitchen"


def test_slots() -> None:
    node: Any = BaseNode("10.0.0.1", max_jobs=2)
    assert not node.full()
    node.jobs += ["job", "job"]
    assert node.full()
    assert BaseNode("10.0.0.2", max_jobs=0).full()
    unknown: Any = BaseNode("10.0.0.3")
    unknown.jobs += ["job"] * 100
    assert not unknown.full()


def test_which_addresses_a_node_stands_for() -> None:
    assert BaseNode(" 10.0.0.1 ").matches("10.0.0.1")
    assert not BaseNode("10.0.0.*").matches("10.0.0.1")
    many = MultiNode("192.168.4.*", "FAST")
    assert many.matches("192.168.4.17")
    assert not many.matches("192.168.5.17")
    assert many.groups == (ALL, "FAST")


def test_the_client_is_a_node_of_its_own() -> None:
    node = LocalNode()
    assert (node.ip, node.name, node.groups) == ("127.0.0.1", "local", (LOCAL,))
    assert {LOCAL: [node]} == base.GROUPS


def test_the_last_node_of_an_address_is_the_one_that_is_known() -> None:
    BaseNode("10.0.0.1")
    node = BaseNode("10.0.0.1")
    assert {"10.0.0.1": node} == base.NODES
    assert {ALL: [node]} == base.GROUPS


@pytest.mark.parametrize("host", ["", "  ", None, 5, ["10.0.0.1"]])
def test_a_host_is_a_text(host: Any) -> None:
    with pytest.raises(ConfigError, match="BaseNode: wrong address; expected an address as a string"):
        BaseNode(host)


@pytest.mark.parametrize("slots", [-1, "2", 1.5])
def test_slots_are_counted(slots: Any) -> None:
    with pytest.raises(ConfigError, match=r"BaseNode 10\.0\.0\.1: wrong max_jobs; expected 0 or more"):
        BaseNode("10.0.0.1", max_jobs=slots)
    assert base.NODES == {}


def test_nodes_are_values() -> None:
    node = MultiNode("10.0.0.*", "A", max_jobs=3)
    twin = pickle.loads(pickle.dumps(node))
    assert vars(twin) == vars(node)
    info = NodeInfo(cpu=50.0, memory=1 << 30, disk=1 << 33, swap=0.0)
    assert info.TQ == 255
    assert pickle.loads(pickle.dumps(info)) == info
