"""What a job process receives at its start: the pickled job, and limits that follow from the whole network."""

from collections.abc import Iterable

from fission.channel.windows import needed_blocks as channel_need
from fission.core.jobs import BaseJob
from fission.core.network import Edge, Network, Settings
from fission.errors import NetworkError
from fission.serialization import by_value


def pickle_jobs(jobs: Iterable[BaseJob]) -> dict[int, bytes]:
    """Pickle the jobs of a network, each with its pipes, by id; see `serialization.by_value`.

    Raises NetworkError; check E205 explains more.
    """
    every = list(jobs)
    try:
        return dict(zip((job.id for job in every), by_value.dump_all(every), strict=True))
    except Exception:  # noqa: BLE001 - pickling runs the user's code; the next line finds the job
        return {job.id: pickle_job(job) for job in every}


def pickle_job(job: BaseJob) -> bytes:
    """Pickle a job that runs alone, with its pipes. Raises NetworkError; check E205 explains more."""
    try:
        return by_value.dump(job)
    except Exception as error:
        raise NetworkError(
            "the job cannot be pickled",
            where=f"job {job.name}",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            hint="A job is made on the client and sent to its node: open files and threads in setup().",
        ) from error


def needed_blocks(network: Network) -> dict[int, int]:
    """Return for every pipe how many of its blocks the network needs before it can release any.

    The product of the `BLOCK_COUNT`s along a path that begins with the pipe, of the path where it is largest.
    Loops go through asynchronous pipes, which end a path.
    """
    needed: dict[int, int] = {}

    def need(edge: Edge) -> int:
        pipe = edge.pipe
        if pipe.id not in needed:
            needed[pipe.id] = 1  # also what ends a loop without an asynchronous pipe, which the checks refuse
            if not pipe.ASYNC:
                behind = [need(following) for following in network.outputs_of(edge.destination)]
                needed[pipe.id] = channel_need(pipe.BLOCK_COUNT, behind)
        return needed[pipe.id]

    for edge in network.edges:
        need(edge)
    return needed


def progress_timeout(job: BaseJob, settings: Settings) -> float:
    """Return the seconds that a round of the job may take; 0 for no limit.

    The setting of the network is for jobs with inputs: how long a source waits for its device is known to its class only.
    """
    if job.PROGRESS_TIMEOUT is not None:
        return job.PROGRESS_TIMEOUT
    return settings.progress_timeout or 0.0 if job.inputs else 0.0


def queue_limits(network: Network) -> dict[int, int]:
    """Return for every pipe how many blocks may be queued at its receiver; 0 for no limit of its own."""
    return {
        edge.pipe.id: network.job(edge.destination).MAX_QUEUE * edge.pipe.BLOCK_COUNT
        for edge in network.edges
    }
