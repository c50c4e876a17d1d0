"""What `peek` and `hz` print of a block and of two views."""

from typing import Any

from fission.management.commands.cluster.hz import described as rate_line
from fission.management.commands.cluster.hz import measured
from fission.management.commands.cluster.peek import described
from fission.monitor import NetworkView, PipeView


def view(seconds: float, sent: int, delivered: int, run: str = "r") -> dict[str, Any]:
    pipe = PipeView(
        3, "PicklePipe", 1, 2, sent=sent, delivered=delivered, bytes=10 * sent, queued=4, lag=0.002
    )
    return NetworkView("net", run, "running", seconds, 1, (), (), (pipe,)).plain()


def test_lines_of_blocks() -> None:
    array = {
        "dtype": "f4\x1b",
        "shape": [2],
        "minimum": 1.0,
        "maximum": None,
        "mean": 0.5,
        "rms": None,
        "sampled": False,
    }
    line = described({"number": 7, "size": 1040, "array": array})
    assert line.split() == ["7", "1,040", "B", "f4\\x1b", "(2,)", "min", "1", "mean", "0.5"]
    assert described({"number": 7, "size": 4, "text": "a\n\x1b[2J"}).endswith("a\\n\\x1b[2J")
    assert described({"number": 7, "size": 4, "value": {"a": "é"}}).endswith('{"a": "é"}')


def test_rates_of_a_pipe() -> None:
    line = measured(view(1.0, 0, 0), view(3.0, 200, 100), 3)
    assert line is not None
    assert (line["sent_per_second"], line["delivered_per_second"], line["bytes_per_block"]) == (100, 50, 10)
    assert "50.0 blocks/s" in rate_line(line)
    still = measured(view(1.0, 5, 5), view(2.0, 5, 5), 3)
    assert still is not None
    assert "B/block" not in rate_line(still)


def test_no_rates_across_a_restart() -> None:
    assert measured(view(1.0, 9, 9), view(2.0, 3, 3), 3) is None
    assert measured(view(1.0, 9, 9), view(2.0, 9, 9, run="other"), 3) is None
