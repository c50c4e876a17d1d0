"""`interact`: send typed lines to an InteractiveJob of a network that runs on this machine."""

from pathlib import Path

from fission.core.jobs import InteractiveJob
from fission.core.network import Network
from fission.errors import RunError, UserError
from fission.management.commands.cluster.lines import connect, dial, talk
from fission.project.load import load_network
from fission.project.suggest import did_you_mean, listed
from fission.security import Role, load_identity

FOLDERS = ("local", "simulation")
"""Folders of a network with the working directories of local jobs: in a run, and in a simulation."""


def interact_command(root: Path, name: str, wanted: str | None, *, at: str | None = None) -> int:
    """Connect to the job with this id or name and send lines; return the exit code. Raises RunError when it does not run.

    `at` is the address of a job on another machine, which requires the client's certificate.
    """
    network, _ = load_network(root, name)
    if at is not None:
        return talk(*dial(at, load_identity(root / network.settings.certs / Role.CLIENT)))
    job = find_job(network, wanted)
    for folder in FOLDERS:
        sock = connect(Path(network.folder) / folder / str(job.id))
        if sock is not None:
            return talk(sock)
    raise RunError(
        "the job is not running on this machine",
        where=f"job {job.name} of {network.name}",
        hint=f"Start the network first: fission simulate {network.name}",
    )


def find_job(network: Network, wanted: str | None) -> InteractiveJob:
    """Return the InteractiveJob with this id or name, or the only one there is. Raises UserError."""
    jobs = {str(job.id): job for job in network.jobs if isinstance(job, InteractiveJob)}
    where = f"network {network.name}"
    known = listed(f"{id} ({job.name})" for id, job in jobs.items())
    if not jobs:
        raise UserError("the network has no InteractiveJob", where=where)
    if wanted is None:
        if len(jobs) > 1:
            raise UserError(
                "the job is missing: the network has several InteractiveJobs",
                where=where,
                expected=f"one of {known}",
            )
        return next(iter(jobs.values()))
    for id, job in jobs.items():
        if wanted in (id, job.name):
            return job
    raise UserError(
        f"the network has no InteractiveJob {wanted!r}",
        where=where,
        expected=f"one of {known}",
        hint=did_you_mean(wanted, [job.name for job in jobs.values()]),
    )
