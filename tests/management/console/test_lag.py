"""The lag of a job counts complete rounds: an input that starves makes no lag of the blocks that wait for it."""

import pytest

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.engine.protocol.job_report import JobReport
from fission.management.console.job_console import JobConsole
from fission.runtime.messages import Status


class Pairs(PicklePipe):
    BLOCK_COUNT = 2


class Mail(PicklePipe):
    ASYNC = True


def lag(capsys: pytest.CaptureFixture[str], *inputs: tuple[type[PicklePipe], int], rounds: int = 10) -> str:
    """The lag in the summary of a job after 10 s; its inputs are pipe classes with the blocks that wait there."""
    base.reset()
    pipes = [kind(number) for number, (kind, _) in enumerate(inputs, 1)]
    sources = [PythonJob([], [pipe], name=f"source {pipe.id}") for pipe in pipes]
    network, problems = Network.build("net", [*sources, PythonJob(pipes, [], name="join")])
    assert not problems
    reports = {job.id: JobReport(job.name) for job in network.jobs}
    counts = {number: {"queued": float(queued), "lag": 0.25} for number, (_, queued) in enumerate(inputs, 1)}
    reports[len(pipes) + 1].hear(Status(rounds, 0.0, counts))
    JobConsole(network, quiet=False).summary(reports, 10.0)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "join" in line)
    return " ".join(row.split()[-2:])


def test_complete_rounds_that_wait_are_a_lag(capsys: pytest.CaptureFixture[str]) -> None:
    assert lag(capsys, (PicklePipe, 30), (PicklePipe, 20)) == "20.2 s"


def test_an_input_that_starves_makes_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A network that had run for 10.5 s showed a lag of 418 s."""
    assert lag(capsys, (PicklePipe, 4000), (PicklePipe, 0), rounds=1) == "250.0 ms"


def test_half_a_round_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert lag(capsys, (Pairs, 1), (PicklePipe, 5)) == "250.0 ms"
    assert lag(capsys, (Pairs, 3), (PicklePipe, 5)) == "1.2 s"


def test_optional_inputs_do_not_count_beside_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert lag(capsys, (PicklePipe, 0), (Mail, 100)) == "250.0 ms"
    assert lag(capsys, (PicklePipe, 1), (Mail, 0)) == "1.2 s"


def test_blocks_of_optional_inputs_alone_are_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert lag(capsys, (Mail, 1), (Mail, 2)) == "3.2 s"
