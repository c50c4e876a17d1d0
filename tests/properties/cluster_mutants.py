"""Coordinators with one rule broken. The properties must notice every one of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fission.cluster import (
    StartJob,
    coordinator,
    job_lifecycle,
    job_placement,
    link_faults,
    node_membership,
    route_updates,
    snapshots,
)
from fission.cluster.state import ClusterState, JobRecord, NodeRecord, SilentPipe
from fission.cluster.topology import Topology
from fission.cluster.transitions import JobState
from fission.placement import propose

Mutant = Callable[[pytest.MonkeyPatch], None]


def numbers_incarnations_by_place(patch: pytest.MonkeyPatch) -> None:
    """A job that starts again on its node keeps its incarnation."""

    def start(cluster: ClusterState, job: JobRecord, node: str, real: Any = job_lifecycle.start) -> None:
        job.incarnation -= job.incarnation > 1
        real(cluster, job, node)

    patch.setattr(job_lifecycle, "start", start)
    patch.setattr(job_placement, "start", start)


def waits_for_senders_that_are_to_come(patch: pytest.MonkeyPatch) -> None:
    """A job that is started listens to none of the senders that are there."""

    def start(*fields: Any) -> StartJob:
        made = StartJob(*fields)
        return replace(made, senders={pipe: number + 1 for pipe, number in made.senders.items()})

    patch.setattr(job_lifecycle, "StartJob", start)


def remembers_what_was_wished_of_nodes_that_are_gone(patch: pytest.MonkeyPatch) -> None:
    """A node that is withdrawn stays drained, and gets no jobs when it comes anew."""

    def withdrawn(cluster: ClusterState, event: Any, real: Any = node_membership.withdrawn) -> None:
        drained = set(cluster.drained)
        real(cluster, event)
        cluster.drained |= drained

    patch.setattr(node_membership, "withdrawn", withdrawn)


def keeps_jobs_on_nodes_that_are_gone(patch: pytest.MonkeyPatch) -> None:
    """A node that is withdrawn is forgotten without its jobs being placed elsewhere."""

    def withdrawn(cluster: ClusterState, event: Any) -> None:
        cluster.nodes.pop(event.node, None)

    patch.setattr(node_membership, "withdrawn", withdrawn)


def leaves_orphans_alone(patch: pytest.MonkeyPatch) -> None:
    """What should not run on a node that comes back goes on there."""
    patch.setattr(node_membership, "fence", lambda *_: None)


def does_not_wait_for_orphans(patch: pytest.MonkeyPatch) -> None:
    """Orphans are told to end, but their node gets jobs at once."""

    def fence(
        cluster: ClusterState, node: NodeRecord, *orphan: Any, real: Any = node_membership.fence
    ) -> None:
        life = node.status
        real(cluster, node, *orphan)
        node.status = life

    patch.setattr(node_membership, "fence", fence)


def believes_inventories(patch: pytest.MonkeyPatch) -> None:
    """Whatever a node has of this run is what the job is."""
    patch.setattr(
        node_membership, "_counts", lambda _state, node, job, _line: job.node in (None, node.address)
    )


def forgets_to_check_inventories(patch: pytest.MonkeyPatch) -> None:
    """A job that its node no longer has is believed to run on."""
    patch.setattr(
        node_membership,
        "lose",
        lambda cluster, job, why: None if "with node" not in why else job_lifecycle.lose(cluster, job, why),
    )


def keeps_jobs_of_lost_nodes(patch: pytest.MonkeyPatch) -> None:
    """Jobs of a lost node are not started elsewhere."""
    patch.setattr(
        node_membership,
        "lose",
        lambda cluster, job, why: None if "with node" in why else job_lifecycle.lose(cluster, job, why),
    )


def talks_to_the_dead(patch: pytest.MonkeyPatch) -> None:
    """Instructions are sent to nodes whatever they are."""
    patch.setattr(ClusterState, "reachable", lambda _self, address: address is not None)


def routes_once(patch: pytest.MonkeyPatch) -> None:
    """A sender hears of the first receiver only."""

    def tell(
        cluster: ClusterState,
        pipe: Any,
        sender: JobRecord,
        receiver: JobRecord,
        real: Any = route_updates._update_sender,
    ) -> None:
        if pipe.id not in sender.delivered.routes or cluster.finished(receiver.id):
            real(cluster, pipe, sender, receiver)

    patch.setattr(route_updates, "_update_sender", tell)


def routes_to_the_first_sender(patch: pytest.MonkeyPatch) -> None:
    """Successors of a sender are not told where its receivers are."""

    def tell(
        cluster: ClusterState,
        pipe: Any,
        sender: JobRecord,
        receiver: JobRecord,
        real: Any = route_updates._update_sender,
    ) -> None:
        if sender.incarnation == 1:
            real(cluster, pipe, sender, receiver)

    patch.setattr(route_updates, "_update_sender", tell)


def revives_what_has_finished(patch: pytest.MonkeyPatch) -> None:
    """Nothing follows for a job from the end of a job that it waits for."""
    patch.setattr(job_lifecycle, "processed_by_sender", lambda *_: False)
    patch.setattr(Topology, "receivers", lambda *_: ())


def keeps_senders_of_finished_jobs(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told that a receiver has finished."""
    patch.setattr(route_updates, "ReceiverGone", route_updates.SendRoute)
    patch.setattr(
        route_updates,
        "_update_sender",
        lambda cluster, pipe, sender, receiver, real=route_updates._update_sender: (
            None if cluster.finished(receiver.id) else real(cluster, pipe, sender, receiver)
        ),
    )


def continues_live_sources(patch: pytest.MonkeyPatch) -> None:
    """A live source that begins again does not begin an epoch."""
    patch.setattr(job_lifecycle, "_begin_epoch", lambda *_: None)


def resets_alone(patch: pytest.MonkeyPatch) -> None:
    """The others that a live source meets in a join count on."""

    def begin(cluster: ClusterState, job: JobRecord) -> None:
        cluster.epoch += 1
        job.epoch = cluster.epoch

    patch.setattr(job_lifecycle, "_begin_epoch", begin)


def packs_nodes(patch: pytest.MonkeyPatch) -> None:
    """Jobs that live take no slots when others are placed."""
    patch.setattr(
        job_placement,
        "propose",
        lambda network, nodes, links, *, fixed, only: propose(network, nodes, links, only=only),
    )


def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A job that has found no node is not tried again."""

    def place(cluster: ClusterState, real: Any = job_placement.place_waiting) -> None:
        if not any(job.wait_reported for job in cluster.jobs.values()):
            real(cluster)

    patch.setattr(coordinator, "place_waiting", place)


def stores_no_incarnations(patch: pytest.MonkeyPatch) -> None:
    """A client that was started again counts incarnations from the beginning."""
    kept = {name: kind for name, kind in snapshots._PLAIN.items() if name != "incarnation"}
    patch.setattr(snapshots, "_PLAIN", kept)


def never_gives_up_a_reservation(patch: pytest.MonkeyPatch) -> None:
    """A job that has finished keeps its slot when its process has ended."""

    def leave(cluster: ClusterState, job: JobRecord, real: Any = job_lifecycle.leave) -> None:
        if job.state is not JobState.FINISHED:
            real(cluster, job)

    patch.setattr(job_lifecycle, "leave", leave)


def follows_every_silence(patch: pytest.MonkeyPatch) -> None:
    """Jobs move as soon as a pipe is reported silent, as often as that happens."""

    def begin(cluster: ClusterState, *_: Any) -> SilentPipe:
        return SilentPipe(cluster.now, cluster.now, timer=cluster.now)

    patch.setattr(link_faults, "_begin", begin)


def keeps_silence(patch: pytest.MonkeyPatch) -> None:
    """What an old process has reported about its pipes is held against its successor."""
    patch.setattr(ClusterState, "forget_silence", lambda *_: None)


MUTANTS: tuple[Mutant, ...] = (
    follows_every_silence,
    keeps_silence,
    numbers_incarnations_by_place,
    waits_for_senders_that_are_to_come,
    remembers_what_was_wished_of_nodes_that_are_gone,
    keeps_jobs_on_nodes_that_are_gone,
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
