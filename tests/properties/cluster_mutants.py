"""Coordinators with one rule broken. The properties must notice every one of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fission.cluster import StartJob, coordinator, lives, members, placing, snapshots, telling
from fission.cluster.board import Board, JobRecord, NodeRecord
from fission.cluster.states import JobState
from fission.cluster.wiring import Wiring
from fission.placement import propose

Mutant = Callable[[pytest.MonkeyPatch], None]


def numbers_incarnations_by_place(patch: pytest.MonkeyPatch) -> None:
    """A job that starts again on its node keeps its incarnation."""

    def start(board: Board, job: JobRecord, node: str, real: Any = lives.start) -> None:
        job.incarnation -= job.incarnation > 1
        real(board, job, node)

    patch.setattr(lives, "start", start)
    patch.setattr(placing, "start", start)


def waits_for_senders_that_are_to_come(patch: pytest.MonkeyPatch) -> None:
    """A job that is started listens to none of the senders that are there."""

    def name(
        self: coordinator.Coordinator, one: Any, real: Any = coordinator.Coordinator._with_senders
    ) -> Any:
        named = real(self, one)
        if isinstance(named, StartJob):
            return replace(named, senders={pipe: number + 1 for pipe, number in named.senders.items()})
        return named

    patch.setattr(coordinator.Coordinator, "_with_senders", name)


def leaves_orphans_alone(patch: pytest.MonkeyPatch) -> None:
    """What should not run on a node that comes back goes on there."""
    patch.setattr(members, "fence", lambda *_: None)


def does_not_wait_for_orphans(patch: pytest.MonkeyPatch) -> None:
    """Orphans are told to end, but their node gets jobs at once."""

    def fence(board: Board, node: NodeRecord, *orphan: Any, real: Any = members.fence) -> None:
        life = node.life
        real(board, node, *orphan)
        node.life = life

    patch.setattr(members, "fence", fence)


def believes_inventories(patch: pytest.MonkeyPatch) -> None:
    """Whatever a node has of this run is what the job is."""
    patch.setattr(members, "_counts", lambda _board, node, job, _line: job.node in (None, node.address))


def forgets_to_check_inventories(patch: pytest.MonkeyPatch) -> None:
    """A job that its node no longer has is believed to run on."""
    patch.setattr(
        members,
        "lose",
        lambda board, job, why: None if "with node" not in why else lives.lose(board, job, why),
    )


def keeps_jobs_of_lost_nodes(patch: pytest.MonkeyPatch) -> None:
    """Jobs of a lost node are not started elsewhere."""
    patch.setattr(
        members, "lose", lambda board, job, why: None if "with node" in why else lives.lose(board, job, why)
    )


def talks_to_the_dead(patch: pytest.MonkeyPatch) -> None:
    """Instructions are sent to nodes whatever they are."""
    patch.setattr(Board, "reachable", lambda _self, address: address is not None)


def routes_once(patch: pytest.MonkeyPatch) -> None:
    """A sender hears of the first receiver only."""

    def tell(
        board: Board, pipe: Any, sender: JobRecord, receiver: JobRecord, real: Any = telling._tell_sender
    ) -> None:
        if pipe.id not in sender.told.routes or board.finished(receiver.id):
            real(board, pipe, sender, receiver)

    patch.setattr(telling, "_tell_sender", tell)


def routes_to_the_first_sender(patch: pytest.MonkeyPatch) -> None:
    """Successors of a sender are not told where its receivers are."""

    def tell(
        board: Board, pipe: Any, sender: JobRecord, receiver: JobRecord, real: Any = telling._tell_sender
    ) -> None:
        if sender.incarnation == 1:
            real(board, pipe, sender, receiver)

    patch.setattr(telling, "_tell_sender", tell)


def revives_what_has_finished(patch: pytest.MonkeyPatch) -> None:
    """Nothing follows for a job from the end of a job that it waits for."""
    patch.setattr(lives, "worked_off", lambda *_: False)
    patch.setattr(Wiring, "receivers", lambda *_: ())


def keeps_senders_of_finished_jobs(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told that a receiver has finished."""
    patch.setattr(telling, "ReceiverGone", telling.SendRoute)
    patch.setattr(
        telling,
        "_tell_sender",
        lambda board, pipe, sender, receiver, real=telling._tell_sender: (
            None if board.finished(receiver.id) else real(board, pipe, sender, receiver)
        ),
    )


def continues_live_sources(patch: pytest.MonkeyPatch) -> None:
    """A live source that begins again does not begin an epoch."""
    patch.setattr(lives, "_begin_epoch", lambda *_: None)


def resets_alone(patch: pytest.MonkeyPatch) -> None:
    """The others that a live source meets in a join count on."""

    def begin(board: Board, job: JobRecord) -> None:
        board.epoch += 1
        job.epoch = board.epoch

    patch.setattr(lives, "_begin_epoch", begin)


def packs_nodes(patch: pytest.MonkeyPatch) -> None:
    """Jobs that live take no slots when others are placed."""
    patch.setattr(
        placing,
        "propose",
        lambda network, nodes, links, *, fixed, only: propose(network, nodes, links, only=only),
    )


def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A job that has found no node is not tried again."""

    def place(board: Board, real: Any = placing.place_waiting) -> None:
        if not any(job.complained for job in board.jobs.values()):
            real(board)

    patch.setattr(coordinator, "place_waiting", place)


def stores_no_incarnations(patch: pytest.MonkeyPatch) -> None:
    """A client that was started again counts incarnations from the beginning."""
    patch.setattr(snapshots, "_PLAIN", tuple(name for name in snapshots._PLAIN if name != "incarnation"))


def never_gives_up_a_reservation(patch: pytest.MonkeyPatch) -> None:
    """A job that has finished keeps its slot when its process has ended."""

    def leave(board: Board, job: JobRecord, real: Any = lives.leave) -> None:
        if job.state is not JobState.FINISHED:
            real(board, job)

    patch.setattr(lives, "leave", leave)


MUTANTS: tuple[Mutant, ...] = (
    numbers_incarnations_by_place,
    waits_for_senders_that_are_to_come,
    leaves_orphans_alone,
    does_not_wait_for_orphans,
    believes_inventories,
    forgets_to_check_inventories,
    keeps_jobs_of_lost_nodes,
    talks_to_the_dead,
    routes_once,
    routes_to_the_first_sender,
    revives_what_has_finished,
    keeps_senders_of_finished_jobs,
    continues_live_sources,
    resets_alone,
    packs_nodes,
    waits_for_ever,
    stores_no_incarnations,
    never_gives_up_a_reservation,
)
