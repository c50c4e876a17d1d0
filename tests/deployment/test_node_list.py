"""The node list keeps what its owner wrote."""

from pathlib import Path

import pytest

from fission.deployment.node_list import add_node, read_list, remove_node
from fission.errors import ConfigError


def test_nodes_are_added_once_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    assert read_list(path) == []
    assert add_node(path, "pi1", "192.168.4.2", ("roof", "lab"))
    assert add_node(path, "pi2", "192.168.4.3", ())
    assert not add_node(path, "other", "192.168.4.2", ())
    assert path.read_text() == "name,address\npi1,192.168.4.2,roof,lab\npi2,192.168.4.3\n"
    assert [(node.name, node.ip, *sorted(set(node.groups) - {"ALL"})) for node in read_list(path)] == [
        ("pi1", "192.168.4.2", "lab", "roof"),
        ("pi2", "192.168.4.3"),
    ]
    assert remove_node(path, "192.168.4.2")
    assert not remove_node(path, "192.168.4.2")
    assert path.read_text() == "name,address\npi2,192.168.4.3\n"


def test_other_lines_stay(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text("# mine\nname, ip\n# pi0, 192.168.4.1\npi0, 192.168.4.1")
    add_node(path, "pi1", "192.168.4.2", ())
    remove_node(path, "192.168.4.1")
    assert path.read_text() == "# mine\nname, ip\n# pi0, 192.168.4.1\npi1,192.168.4.2\n"


def test_a_wrong_row(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text("only a name\n")
    with pytest.raises(ConfigError, match=r"nodes\.csv"):
        add_node(path, "pi1", "192.168.4.2", ())
    assert path.read_text() == "only a name\n"


def test_no_file_to_remove_from(tmp_path: Path) -> None:
    assert not remove_node(tmp_path / "nodes.csv", "192.168.4.2")
