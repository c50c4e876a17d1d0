"""Which sinks lack their blocks because a job returned nothing."""

import pytest

from fission.core import base
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.pipes import OptionalPicklePipe, PicklePipe
from fission.engine.protocol.job_report import JobReport, missing_output
from fission.runtime.messages import Status


@pytest.fixture
def network() -> Network:
    """Source 1 -> 2 -> sinks 3 and 4, with a loop from 2 to itself by way of 5; a sink 6 of the source."""
    base.reset()
    jobs = [
        SourceJob(outputs=[PicklePipe(1), PicklePipe(7)]),
        ForwardingJob([PicklePipe(1), OptionalPicklePipe(5)], [PicklePipe(2), PicklePipe(3), PicklePipe(4)]),
        ForwardingJob([PicklePipe(2)], name="left"),
        ForwardingJob([PicklePipe(3)], name="right"),
        ForwardingJob([PicklePipe(4)], [OptionalPicklePipe(5)]),
        ForwardingJob([PicklePipe(7)], name="other"),
    ]
    network, problems = Network.build("demo", jobs)
    assert not problems
    return network


def reports(network: Network, rounds: dict[int, int], nothing: int) -> dict[int, JobReport]:
    made = {job.id: JobReport(job.name) for job in network.jobs}
    for id, report in made.items():
        report.hear(Status(rounds.get(id, 0), 0.0, {}, gave_nothing=id == nothing))
    return made


def test_the_sinks_behind_the_job_are_named(network: Network) -> None:
    text = missing_output(network, reports(network, {1: 5, 6: 5}, nothing=2))
    assert text == "left, right received nothing: run() of ForwardingJob 2 returned None in its first round"


def test_a_sink_that_has_blocks_does_not_count(network: Network) -> None:
    text = missing_output(network, reports(network, {1: 5, 3: 1, 6: 5}, nothing=2))
    assert text.startswith("right received nothing")
    assert missing_output(network, reports(network, {3: 1, 4: 1}, nothing=2)) == ""


def test_an_empty_stream_is_no_fault(network: Network) -> None:
    assert missing_output(network, reports(network, {}, nothing=0)) == ""


def test_it_is_remembered_whatever_is_reported_later(network: Network) -> None:
    found = reports(network, {}, nothing=2)
    found[2].hear(Status(0, 1.0, {}))
    assert missing_output(network, found)
