"""Creates the ports of a job: the state of the protocol for each pipe, from the job and its spec."""

from fission.channel.lossy_windows import live_room
from fission.channel.mailbox import Mailbox
from fission.channel.receiver import Receiver
from fission.channel.sender import Sender
from fission.core.jobs import BaseJob
from fission.core.pipes import BasePipe
from fission.runtime.data.ports import InPort, OutPort
from fission.runtime.job.resume import first_point
from fission.runtime.messages import JobSpec


def in_ports(job: BaseJob, spec: JobSpec, *, resuming: bool, logging: bool) -> list[InPort]:
    """Create one port per input; synchronous ones are numbered, as their join expects.

    `logging`: the job logs its optional inputs, those with exact delivery.
    """
    ports: list[InPort] = []
    joined = 0
    for pipe in job.inputs:
        logged = logging and pipe.ASYNC and pipe.DELIVERY == "exact"
        receiver = Receiver(
            pipe.id,
            run=spec.run,
            delivery=_delivery(pipe),
            retain=pipe.RETAIN,
            incarnation=spec.senders.get(pipe.id, 0),
            announced=spec.senders.get(pipe.id, 0) if pipe.id in spec.sources else None,
            placed=not resuming or (pipe.ASYNC and not logged),
            room=_room(pipe, job.MAX_QUEUE * pipe.BLOCK_COUNT),
        )
        mailbox = Mailbox.of(pipe) if pipe.ASYNC else None
        ports.append(
            InPort(pipe, receiver, index=joined, mailbox=mailbox, max_queue=job.MAX_QUEUE, logged=logged)
        )
        joined += not pipe.ASYNC
    return ports


def out_ports(job: BaseJob, spec: JobSpec, *, resuming: bool) -> list[OutPort]:
    """Create one port per output."""
    start = (first_point(job, spec)[0], 1)
    ports: list[OutPort] = []
    for pipe in job.outputs:
        limit = spec.queue_limits.get(pipe.id, 0)
        sender = Sender(
            pipe.id,
            run=spec.run,
            incarnation=spec.incarnation,
            delivery=_delivery(pipe),
            retain=pipe.RETAIN,
            max_queue=limit,
            room=_room(pipe, limit),
            needed=spec.needed_blocks.get(pipe.id, 1),
            start=start,
            resuming=resuming,
        )
        ports.append(OutPort(pipe, sender))
    return ports


def _delivery(pipe: BasePipe) -> str:
    """Optional pipes never make a job wait; unless they are live, some blocks are kept for a receiver that is restarted."""
    return "optional" if pipe.ASYNC and pipe.DELIVERY == "exact" else pipe.DELIVERY


def _room(pipe: BasePipe, max_queue: int) -> int:
    """How many blocks of a live pipe may be ahead of the job. An asynchronous one has a mailbox, which is read at once."""
    return 0 if pipe.ASYNC or pipe.DELIVERY != "live" else live_room(max_queue, pipe.BLOCK_COUNT)
