"""Networks that a program runs on an embedded cluster: exact over crashes, moves and dead nodes."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.networks import Count, Sum, expected, sums
from fission import CSVSinkJob, PicklePipe, PythonJob, run
from fission.errors import NetworkError, RunError, UserError
from kits.waiting import wait_for


def test_a_killed_job_and_a_move_lose_nothing() -> None:
    with run(sums(30_000, fatal=5000), embedded=2, quiet=True) as handle:
        stream = handle.pipe(2)
        first = stream.take(10_000)
        where = {job.name: job.node for job in handle.status().jobs}
        handle.move(
            "Sum", next(node.address for node in handle.status().nodes if node.address != where["Sum 2"])
        )
        assert [*first, *stream] == expected(30_000)
        assert handle.wait().finished


def test_the_reader_itself_is_killed() -> None:
    with run(sums(30_000), embedded=1, quiet=True) as handle:
        stream = handle.pipe(2)
        first = stream.take(2000)
        readers = [
            one
            for one in psutil.Process().children(recursive=True)
            if "reader of pipe 2" in " ".join(one.cmdline()) or one.name().startswith("reader")
        ]
        assert readers
        os.kill(readers[0].pid, signal.SIGKILL)
        assert [*first, *stream] == expected(30_000)


@pytest.mark.long
def test_a_dead_node_loses_nothing() -> None:
    with run(
        [*sums(60_000), CSVSinkJob("sums.csv", inputs=[PicklePipe(2)])], embedded=3, pipes=[2], quiet=True
    ) as handle:
        stream = handle.pipe(2)
        first = stream.take(5000)
        node = next(job.node for job in handle.status().jobs if job.name == "Sum 2")
        services = [one for one in psutil.Process().children() if f"node {node}:" in " ".join(one.cmdline())]
        os.kill(services[0].pid, signal.SIGKILL)
        assert [*first, *stream] == expected(60_000)
        handle.wait()
    rows = Path("sums.csv").read_text().split()
    assert rows[1:] == list(map(str, expected(60_000)))


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(UserError, match="exclude each other"):
        run(sums(1), nodes=["10.0.0.1"], embedded=1)
    with pytest.raises(UserError, match="there are no nodes"):
        run(sums(1))
    with run(sums(10**9), embedded=2, quiet=True) as handle:
        with pytest.raises(RunError, match=r"cannot move to 10\.9\.9\.9: no such node"):
            handle.move("Sum", "10.9.9.9")
        with pytest.raises(NetworkError, match="no such job"):
            handle.move("Nobody")
        handle.drain("127.0.0.2")
        wait_for(
            lambda: {job.node for job in handle.status().jobs} == {"127.0.0.3", "client"},
            "the jobs run on the other node",
        )
        handle.drain("127.0.0.2", undo=True)
        handle.rebalance()
        with pytest.raises(RunError, match=r"there is no node 127\.0\.0\.9 to drain"):
            handle.drain("127.0.0.9")


class Double(PythonJob):
    """Pairs of a number and what this version makes of it; its state is how many it has seen."""

    seen = 0
    FACTOR = 2

    def run(self, number: int) -> tuple[tuple[int, int, int]]:
        self.seen += 1
        return ((number, self.seen, self.FACTOR * number),)


def test_a_class_is_reloaded() -> None:
    class Triple(Double):
        FACTOR = 3

    class Broken(Double):
        def run(self, number: int) -> Any:
            return self.nothing  # type: ignore[attr-defined]

    Triple.__name__ = Broken.__name__ = "Double"
    jobs = [Count(10**9, outputs=[PicklePipe(1)]), Double(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])]
    with run(jobs, embedded=2, quiet=True) as handle:
        stream = handle.pipe(2)
        rows = stream.take(100)
        assert "runs the new code" in handle.reload(Triple)[-1]
        while rows[-1][2] == 2 * rows[-1][0]:
            rows += stream.take(100)
        with pytest.raises(RunError, match="the old one goes on"):
            handle.reload(Broken)
        rows += stream.take(2000)
        with pytest.raises(RunError, match="no job is a Sum"):
            handle.reload(Sum)
    numbers = list(range(1, len(rows) + 1))
    assert [row[0] for row in rows] == numbers
    assert [row[1] for row in rows] == numbers
    factors = [row[2] // row[0] for row in rows]
    assert factors == sorted(factors)
    assert set(factors) == {2, 3}
