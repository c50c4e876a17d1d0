"""Where a job begins: at the start of its stream or, after a restart, at its restart point (see `channel.ledger`)."""

from collections.abc import Collection

from fission.channel.ledger import choose_point, must_ask
from fission.channel.ranges import Position
from fission.core.jobs import BaseJob
from fission.core.jobs.base import is_origin, is_replayable
from fission.runtime.exchange import Exchange
from fission.runtime.messages import JobSpec


def first_point(job: BaseJob, spec: JobSpec) -> Position:
    """The point from which a job begins that has computed nothing: an origin numbers in the epoch it was given."""
    return (spec.epoch if is_origin(job) else 1, 0)


def goes_on(job: BaseJob, spec: JobSpec) -> bool:
    """Whether a job goes on where a predecessor stopped; a live origin begins again, in a new epoch."""
    return spec.resume and (is_replayable(job) or not is_origin(job))


def find_restart_point(
    exchange: Exchange, job: BaseJob, spec: JobSpec, stored: Collection[Position], *, stateful: bool
) -> Position:
    """Wait until the receivers, or else the senders, have told where a job has to go on. Call it before `begin`."""
    released, unknown = exchange.settle()
    stateful = stateful or is_origin(job)
    ask = must_ask(stateful=stateful, stored=bool(stored), released=bool(released), unknown=unknown)
    offered = exchange.offers() if ask else []
    point = choose_point(stored, released, offered, stateful=stateful, unknown=unknown)
    return point or first_point(job, spec)
