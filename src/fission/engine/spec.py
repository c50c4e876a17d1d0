"""What a job process must be given: the pickled job, and limits that follow from the whole network."""

import pickle

from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.errors import NetworkError


def pickle_job(job: BaseJob) -> bytes:
    """Pickle a job with its pipes. Raises NetworkError naming the attribute that cannot be pickled."""
    try:
        return pickle.dumps(job, protocol=5)
    except Exception as error:
        culprit = next((name for name, value in vars(job).items() if not _picklable(value)), "")
        raise NetworkError(
            f"attribute {culprit!r} cannot be pickled" if culprit else "the job cannot be pickled",
            where=f"job {job.name}",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            hint="A job is made on the client and sent to its node: open files, threads and sockets belong into setup().",
        ) from error


def _picklable(value: object) -> bool:
    try:
        pickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001 - pickling runs user code, which may raise anything
        return False
    return True


def minimum_blocks(network: Network) -> dict[int, int]:
    """For every pipe, how many blocks its sender must be able to keep so that the network cannot stall.

    A block is released when every round downstream that needs it has been released. Where jobs collect blocks
    (`BLOCK_COUNT`), one round at the end of a path takes the product of the counts along it; twice that many
    lets one round be filled while another is computed. Loops go through asynchronous pipes, which end a path.
    """
    spans: dict[int, int] = {}

    def span(pipe_id: int) -> int:
        if pipe_id not in spans:
            edge = network.edge(pipe_id)
            spans[pipe_id] = 1  # a loop without an asynchronous pipe is an error that the checks report
            if not edge.pipe.ASYNC:
                behind = max((span(out.pipe.id) for out in network.outputs_of(edge.destination)), default=1)
                spans[pipe_id] = edge.pipe.BLOCK_COUNT * behind
        return spans[pipe_id]

    return {edge.pipe.id: max(4, 2 * span(edge.pipe.id)) for edge in network.edges}
