"""Finds where a job begins: at the start of its stream or, after a restart, at its restart point (see `channel.ledger`)."""

from collections.abc import Callable, Collection

from fission.channel.ledger import choose_point, must_ask
from fission.channel.ranges import Position
from fission.core.jobs import BaseJob
from fission.core.jobs.base import is_origin, is_replayable
from fission.errors import RunError
from fission.runtime.data.exchange import Exchange
from fission.runtime.messages import LOG_EPOCH, JobSpec

_WARNING, _ERROR = 30, 40


def first_point(job: BaseJob, spec: JobSpec) -> Position:
    """The point from which a job without a predecessor begins: an origin numbers in its given epoch."""
    return (spec.epoch if is_origin(job) else 1, 0)


def goes_on(job: BaseJob, spec: JobSpec) -> bool:
    """Whether a job continues where its predecessor stopped; a live origin begins again, in a new epoch."""
    return spec.resume and (is_replayable(job) or not is_origin(job))


def find_restart_point(
    exchange: Exchange, job: BaseJob, spec: JobSpec, stored: Collection[Position], *, stateful: bool
) -> Position:
    """Wait until the receivers, or else the senders, have reported the restart point. Call it before `begin`."""
    released, unknown = exchange.settle()
    stateful = stateful or is_origin(job)
    ask = must_ask(stateful=stateful, stored=bool(stored), released=bool(released), unknown=unknown)
    offered = exchange.offers() if ask else []
    point = choose_point(stored, released, offered, stateful=stateful, unknown=unknown)
    return point or first_point(job, spec)


def look_for_state(job: BaseJob, spec: JobSpec, start: Position, log: Callable[[int, str], None]) -> None:
    """Report that the state of a job is lost, if it was stored once and is missing at its restart point (ADR 14).

    Raises RunError where the blocks to compute it again are gone as well. On live pipes they always are: such a job continues.
    """
    known = [(one.epoch, one.round) for one in spec.checkpoints if one.epoch != LOG_EPOCH]
    if start in known or not (spec.stored or known):
        return
    if start[1] == 0:  # a live source may have begun a new epoch, of which no state is stored yet
        log(_WARNING, f"its stored state was not found; it begins at the start of epoch {start[0]}")
        return
    if not any(pipe.DELIVERY == "exact" and not pipe.ASYNC for pipe in job.inputs):
        log(_ERROR, f"its stored state is lost; it goes on after round {start[1]} without")
        return
    there = ", ".join(f"that after round {number}" for _, number in known)
    raise RunError(
        "its stored state is lost, and what it was computed from has been released",
        where=f"job {job.name}",
        expected=f"the state after round {start[1]} of epoch {start[0]}",
        found=there or "none, on no machine that answers",
        hint="Have several machines died at once? Unless one comes back that kept it, before the restarts are used up, the "
        "network ends, and `run` begins anew",
    )
