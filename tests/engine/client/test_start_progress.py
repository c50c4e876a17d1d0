"""A start that takes long says what it waits for, at first soon, then ever more rarely."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from fission.cluster import Coordinator, JobListening, JobReady, NodeJoined, StartRequested
from fission.core import base
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.engine.client.start_progress import StartProgress, start_waits_for


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def test_reports_come_soon_and_then_rarely() -> None:
    progress = StartProgress()
    told = [seconds / 2 for seconds in range(1200) if progress.due(seconds / 2)]
    assert told[:6] == [1.5, 3.0, 6.0, 12.0, 24.0, 48.0]
    gaps = [after - before for before, after in pairwise(told)]
    assert max(gaps) == 60.0


def test_nodes_then_files_then_jobs_are_named() -> None:
    network, problems = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(1)]), ForwardingJob(inputs=[PicklePipe(1)])]
    )
    assert not problems
    names = {job.id: job.name for job in network.jobs}
    coordinator = Coordinator(network, "run")
    invited = ["10.0.0.10", "10.0.0.2"]

    def text() -> str:
        return start_waits_for(coordinator, names, invited)

    assert text() == "waits for 2 nodes: 10.0.0.2, 10.0.0.10"
    for node in invited:
        coordinator.handle(NodeJoined(node, NodeInfo(50.0, 0, 0, 0.0), slots=4, service=node), 0.0)
    assert text() == "sends files to nodes"
    coordinator.handle(StartRequested(), 0.0)
    assert text().startswith("waits for 2 jobs: SourceJob 1 (starting on 10.0.0.")
    for job in coordinator.jobs.values():
        place = (job.node or "", job.id, job.incarnation)
        coordinator.handle(JobListening(*place, address=f"tcp:10.0.0.2:{job.id}"), 1.0)
        coordinator.handle(JobReady(*place), 1.0)
    assert text() == ""
