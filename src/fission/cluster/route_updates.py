"""Sends the processes of the jobs what they must know of their neighbors and have not received yet.

A process gets updates once it listens (an earlier one would be lost). For every pipe between two such processes the sender
gets the current address of the receiver. A sender learns that its receiver has finished; so does a receiver whose input is
asynchronous and whose sender has finished; and an origin gets its epoch.
"""

from fission.cluster.instructions import BeginEpoch, ReceiverGone, SenderGone, SendRoute
from fission.cluster.state import ClusterState, JobRecord
from fission.cluster.topology import Pipe


def send_route_updates(cluster: ClusterState) -> None:
    """Bring the processes around all touched jobs up to date."""
    pipes: dict[int, Pipe] = {}
    for id in sorted(cluster.touched):
        _update_epoch(cluster, cluster.jobs[id])
        pipes |= {pipe.id: pipe for pipe in (*cluster.topology.into[id], *cluster.topology.out_of[id])}
    cluster.touched.clear()
    for pipe in pipes.values():
        sender, receiver = cluster.jobs[pipe.source], cluster.jobs[pipe.destination]
        _update_sender(cluster, pipe, sender, receiver)
        _update_receiver(cluster, pipe, sender, receiver)


def _update_epoch(cluster: ClusterState, job: JobRecord) -> None:
    if (
        job.listening
        and job.node is not None
        and job.id in cluster.topology.reset_group
        and job.delivered.epoch < job.epoch
    ):
        job.delivered.epoch = job.epoch
        cluster.send(BeginEpoch(job.node, job.id, job.incarnation, job.epoch))


def _update_sender(cluster: ClusterState, pipe: Pipe, sender: JobRecord, receiver: JobRecord) -> None:
    delivered = sender.delivered
    if not sender.listening or sender.node is None:
        return
    if cluster.finished(receiver.id):
        if pipe.id not in delivered.receivers_gone:
            delivered.receivers_gone.add(pipe.id)
            cluster.send(ReceiverGone(sender.node, sender.id, sender.incarnation, pipe.id))
    elif receiver.listening and delivered.routes.get(pipe.id) != receiver.address:
        delivered.routes[pipe.id] = receiver.address
        cluster.send(SendRoute(sender.node, sender.id, sender.incarnation, pipe.id, receiver.address))


def _update_receiver(cluster: ClusterState, pipe: Pipe, sender: JobRecord, receiver: JobRecord) -> None:
    delivered = receiver.delivered
    if pipe.waited or receiver.node is None or not (receiver.listening and cluster.finished(sender.id)):
        return
    if pipe.id not in delivered.senders_gone:
        delivered.senders_gone.add(pipe.id)
        cluster.send(SenderGone(receiver.node, receiver.id, receiver.incarnation, pipe.id))
