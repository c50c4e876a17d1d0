"""Where a job begins: at the start of its stream or, after a restart, at its restart point (see `channel.ledger`)."""

from collections.abc import Collection

from fission.channel.ledger import earliest_point, restart_point
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
    """Wait until the receivers, or else the senders, have told where a job has to go on. Call it before `begin`.

    The first state of a job is stored as well, before any other. So if there are stored ones, one of them will do: the
    last that no receiver has yet to release. If a receiver does not know what it has released, only the inputs tell what may be
    needed: nothing before the earliest point at which they still have blocks, which is not after the last restart
    point. If nothing is stored, the job had no state there, and begins without.
    """
    released, unknown = exchange.settle()
    point: Position | None = None
    if unknown or (stateful and not stored):
        earliest = earliest_point(exchange.offers())
        point = min((one for one in stored if earliest is None or one >= earliest), default=earliest)
    elif stateful or is_origin(job):
        point = restart_point(stored, released)
    elif released:
        point = min(released)
    else:
        point = earliest_point(exchange.offers())
    return point or first_point(job, spec)
