"""Restores the state of a job's predecessor, and lets its own state and optional inputs be stored.

Only jobs with a state import this module.
"""

from collections.abc import Callable

from fission.channel.admissions import Admissions
from fission.channel.ranges import Position
from fission.core.jobs import PythonJob
from fission.runtime.checkpointing.checkpoints import Checkpoints
from fission.runtime.checkpointing.job_state import JobState
from fission.runtime.checkpointing.optional_inputs import OptionalInputs
from fission.runtime.checkpointing.state import SavedState
from fission.runtime.data.exchange import Exchange
from fission.runtime.messages import Checkpoint, JobSpec

Tell = Callable[[Checkpoint], None]
Log = Callable[[int, str], None]


def log_optional_inputs(exchange: Exchange, spec: JobSpec, tell: Tell, log: Log) -> None:
    """Let the exchange log what rounds take from optional inputs; before connections are accepted."""
    boxes = {
        port.pipe.id: port.mailbox for port in exchange.inputs if port.logged and port.mailbox is not None
    }
    admissions = Admissions(boxes)
    exchange.incoming.admissions = admissions
    exchange.repetition.optional = OptionalInputs(
        admissions, spec.state_folder, spec.incarnation, tell=tell, log=log
    )


def keep_state(
    job: PythonJob, exchange: Exchange, spec: JobSpec, start: Position, tell: Tell, log: Log
) -> None:
    """Restore the state of the predecessor at the start, and store the state from now on."""
    state = JobState(SavedState(job, log), exchange.repetition.optional)
    known = spec.checkpoints if spec.resume else ()
    restored = state.restore(known, start, where=f"job {job.name}", log=log)
    checkpoints = Checkpoints(
        state, spec.state_folder, spec.incarnation, interval=job.CHECKPOINT_INTERVAL, tell=tell, log=log
    )
    exchange.keep(checkpoints, stored=restored)
