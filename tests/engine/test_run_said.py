"""What jobs say reaches people, unless another incarnation has taken their place."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fission.cluster import Policy
from fission.core import base
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.engine.base import JobSaid
from fission.engine.journal import Journal
from fission.engine.run import ClusterRun, RunWatcher
from fission.runtime.messages import Log, Status
from fission.runtime.supervisor import OutputLine


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def test_a_superseded_incarnation_is_not_heard(tmp_path: Path) -> None:
    told: list[JobSaid] = []
    watcher = SimpleNamespace(said=told.append)
    journal = Journal(tmp_path)
    network, problems = Network.build(
        "net", [SourceJob(outputs=[PicklePipe(101)]), ForwardingJob(inputs=[PicklePipe(101)])]
    )
    assert not problems
    run = ClusterRun(network, cast(RunWatcher, watcher), journal, invited={}, policy=Policy())
    run.coordinator.jobs[1].incarnation = 2
    for incarnation in (1, 2):
        run.on_event(JobSaid("node", 1, incarnation, OutputLine("stdout", f"line of {incarnation}")))
        run.on_event(JobSaid("node", 1, incarnation, Log(30, f"log of {incarnation}")))
        run.on_event(JobSaid("node", 1, incarnation, Status(incarnation * 10, 0.1, {})))
    journal.close()
    assert [one.what for one in told] == [OutputLine("stdout", "line of 2"), Log(30, "log of 2")]
    assert run.reports[1].rounds == 20
