"""What follows for a job process from the whole network."""

import threading

import pytest

from fission.core import base
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.pipes import OptionalPicklePipe, PicklePipe
from fission.engine.host.job_spec import needed_blocks, pickle_job, queue_limits
from fission.errors import NetworkError


class Five(PicklePipe):
    BLOCK_COUNT = 5


class Picky(ForwardingJob):
    MAX_QUEUE = 3


@pytest.fixture(autouse=True)
def _registries():
    base.reset()
    yield
    base.reset()


def build(*jobs):
    network, problems = Network.build("net", jobs)
    assert not problems
    return network


def test_block_counts_multiply_along_the_longest_path() -> None:
    network = build(
        SourceJob(outputs=[Five(1), PicklePipe(2)]),
        ForwardingJob(inputs=[Five(1)], outputs=[Five(3)]),
        ForwardingJob(inputs=[Five(3)], outputs=[PicklePipe(4)]),
        ForwardingJob(inputs=[PicklePipe(2), PicklePipe(4)]),
    )
    assert needed_blocks(network) == {1: 25, 2: 1, 3: 5, 4: 1}


def test_a_loop_ends_at_its_asynchronous_pipe() -> None:
    network = build(
        SourceJob(outputs=[Five(1)]),
        ForwardingJob(inputs=[Five(1), OptionalPicklePipe(3)], outputs=[Five(2), PicklePipe(4)]),
        ForwardingJob(inputs=[Five(2)], outputs=[OptionalPicklePipe(3)]),
        ForwardingJob(inputs=[PicklePipe(4)]),
    )
    assert needed_blocks(network) == {1: 25, 2: 5, 3: 1, 4: 1}


def test_limits_count_blocks() -> None:
    network = build(SourceJob(outputs=[Five(1), PicklePipe(2)]), Picky(inputs=[Five(1), PicklePipe(2)]))
    assert queue_limits(network) == {1: 15, 2: 3}


def test_a_job_that_cannot_be_pickled_is_named() -> None:
    job = SourceJob(outputs=[PicklePipe(1)])
    job.lock = threading.Lock()
    with pytest.raises(NetworkError, match=r"job SourceJob 1: the job cannot be pickled"):
        pickle_job(job)
