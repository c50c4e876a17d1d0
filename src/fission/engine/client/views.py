"""Builds the view of a running network from the coordinator's state and the reports."""

from collections.abc import Mapping
from dataclasses import dataclass

from fission.cluster import Coordinator
from fission.cluster.state import NodeRecord
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.core.network import Network
from fission.engine.protocol.clock_offset import NodeClocks
from fission.engine.protocol.job_report import JobReport
from fission.engine.protocol.pipe_views import pipe_views
from fission.monitor import JobView, NetworkView, NodeView
from fission.placement.model import natural

STATES = {
    JobState.WAITING: "waits for a node",
    JobState.PLACED: "starting",
    JobState.STARTING: "starting",
    JobState.RUNNING: "running",
    JobState.BACKING_OFF: "crashed, restarts",
    JobState.FAILED: "failed",
    JobState.FINISHED: "finished",
    JobState.STOPPING: "stopping",
    JobState.STOPPED: "stopped",
    JobState.MOVING: "moves",
}
"""The words for the states of a job."""


@dataclass(frozen=True, slots=True)
class JobPlace:
    """A line of the list 'Network Information': the place of a job."""

    id: int
    name: str
    node: str
    incarnation: int
    ip: str
    port: int


def view_of(
    network: Network,
    coordinator: Coordinator,
    reports: Mapping[int, JobReport],
    run: str,
    seconds: float,
    clocks: Mapping[str, NodeClocks],
    origin: str,
) -> NetworkView:
    """Return the view of a network now; `clocks` has the clock offsets of its nodes, which `origin` has provided."""
    jobs = coordinator.jobs.values()
    taken = [job.node for job in jobs]
    nodes = [
        coordinator.nodes[address] for address in sorted(coordinator.nodes, key=natural) if address != LOCAL
    ]
    return NetworkView(
        name=network.name,
        run=run,
        phase=coordinator.phase.name.lower(),
        seconds=seconds,
        epoch=coordinator.epoch,
        nodes=tuple(
            _node(node, taken.count(node.address), clocks.get(node.address), origin) for node in nodes
        ),
        jobs=tuple(
            JobView(
                job.id,
                job.name,
                reports[job.id].state,
                "client" if job.node == LOCAL else job.node or "",
                job.incarnation,
                reports[job.id].round or job.round,
                reports[job.id].cpu_seconds,
                *outside(job.address),
            )
            for job in jobs
        ),
        pipes=pipe_views(network, reports),
    )


def outside(addresses: str) -> tuple[str, int]:
    """Return host and port at which a job listens for other machines; "" and 0 if it does not."""
    for address in addresses.split():
        kind, _, place = address.partition(":")
        if kind in ("tls", "tcp"):
            host, _, port = place.rpartition(":")
            return host.strip("[]"), int(port)
    return "", 0


def information(coordinator: Coordinator) -> tuple[JobPlace, ...] | None:
    """Return the list 'Network Information'; None while a job has no place."""
    places = []
    for job in coordinator.jobs.values():
        if job.state is not JobState.FINISHED and not job.listening:
            return None
        node = "client" if job.node == LOCAL else job.node or ""
        places.append(JobPlace(job.id, job.name, node, job.incarnation, *outside(job.address)))
    return tuple(places)


def _node(node: NodeRecord, taken: int, clocks: NodeClocks | None, origin: str) -> NodeView:
    state = node.state
    return NodeView(
        address=node.address,
        name="" if state is None or state.name == node.address else state.name,
        state=node.status.name.lower(),
        reason=node.reason,
        groups=() if state is None else tuple(sorted(state.groups)),
        slots=0 if state is None else state.slots,
        taken=taken + (0 if state is None else state.occupied),
        cpu=0.0 if state is None else state.info.cpu,
        memory=0 if state is None else state.info.memory,
        disk=0 if state is None else state.info.disk,
        versions=dict(node.versions),
        swap=0.0 if state is None else state.info.swap,
        clock_offset=None if clocks is None else clocks.wall.offset,
        clock_error=None if clocks is None else clocks.wall.error,
        origin=origin,
    )
