"""Views of the pipes of a network, from the reports of the jobs at their ends."""

from collections.abc import Mapping

from fission.core.network import Network
from fission.engine.protocol.job_report import JobReport
from fission.monitor import PipeView

__all__ = ["pipe_views"]

_OF_SENDER = ("sent", "replayed")
_OF_RECEIVER = ("delivered", "duplicates", "dummies", "queued", "lag")
_OF_BOTH = ("dropped",)


def pipe_views(network: Network, reports: Mapping[int, JobReport]) -> tuple[PipeView, ...]:
    """Return one view per pipe, in the order of the network."""
    views = []
    for edge in network.edges:
        sender = reports[edge.source].pipes.get(edge.pipe.id, {})
        receiver = reports[edge.destination].pipes.get(edge.pipe.id, {})
        counts = {name: sender.get(name, 0) for name in _OF_SENDER}
        counts |= {name: receiver.get(name, 0) for name in _OF_RECEIVER}
        counts |= {name: sender.get(name, 0) + receiver.get(name, 0) for name in _OF_BOTH}
        counts["bytes"] = sender.get("bytes", 0)
        views.append(
            PipeView(edge.pipe.id, type(edge.pipe).__name__, edge.source, edge.destination, **counts)
        )
    return tuple(views)
