"""`move`, `drain` and `rebalance`: jobs change their nodes while the network runs, without loss."""

from pathlib import Path

from fission.errors import ProjectError
from fission.management.access.running_client import tell_client
from fission.project.load import load_network


def move_command(root: Path, name: str, job: str, node: str) -> int:
    """Move a job, given by its id or its name, to a node, or to the best other one if `node` is ""."""
    return tell_client(root, name, do="move", job=job_id(root, name, job), node=node)


def drain_command(root: Path, name: str, node: str, *, undo: bool) -> int:
    """Move all jobs away from a node and give it no new ones, or take that back."""
    return tell_client(root, name, do="drain", node=node, undo=undo)


def rebalance_command(root: Path, name: str) -> int:
    """Move the jobs to where they would be placed now."""
    return tell_client(root, name, do="rebalance")


def job_id(root: Path, network: str, job: str) -> int:
    """Return the id of a job that is given by its id or its name. Raises ProjectError."""
    if job.isdecimal():
        return int(job)
    jobs = load_network(root, network)[0].jobs
    found = [one.id for one in jobs if one.name == job]
    if not found:
        raise ProjectError(
            f"there is no job {job!r}",
            where=f"network {network}",
            expected="an id, or one of " + ", ".join(one.name for one in jobs),
        )
    return found[0]
