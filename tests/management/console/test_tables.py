"""Tables that people see: narrow, whole, and long reasons below them."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from fission.cluster.state import NodeRecord
from fission.cluster.transitions import NodeStatus
from fission.core.network import Network
from fission.management.console.run_console import ClusterConsole
from fission.management.console.tables import show, table


def shown(width: int, *args: object, **more: object) -> list[str]:
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    show(console, table(*args, **more))  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_columns_in_which_nothing_stands_are_left_out() -> None:
    rows = [("a", "", "1"), ("b", Text(""), "20")]
    assert shown(80, ("node", "name", "slots"), rows, numbers=("slots",)) == [
        "node  slots",
        "a         1",
        "b        20",
    ]


def test_words_are_folded_and_numbers_and_names_are_whole() -> None:
    rows = [("192.168.4.2", "one two three four", "2 of 2")]
    assert shown(30, ("node", "groups", "slots"), rows, numbers=("slots",)) == [
        "node         groups      slots",
        "192.168.4.2  one two    2 of 2",
        "             three",
        "             four",
    ]
    assert any(
        "192.168.4.2" in line for line in shown(5, ("node", "groups", "slots"), rows, numbers=("slots",))
    )


@pytest.mark.parametrize("status", NodeStatus)
def test_every_life_of_a_node_has_a_word_and_no_reason_makes_the_table_wide(
    status: NodeStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = Network.build("net", [])
    console = ClusterConsole(network, quiet=False)
    reason = "python 3.12.1, here 3.11.7; numpy 1.26.0, here 2.0.1; scipy is missing; " * 3
    console.nodes([NodeRecord("192.168.4.2", status, reason=reason)], {})
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split(maxsplit=1)[0] == "192.168.4.2"
    assert not line.split(maxsplit=1)[1].strip().isdigit()
    assert len(line.rstrip()) < 40
