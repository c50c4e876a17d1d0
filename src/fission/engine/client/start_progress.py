"""What a start that takes long waits for, and when that is said again."""

from collections.abc import Collection, Mapping

from fission.cluster import Coordinator, Phase
from fission.cluster.transitions import JobState
from fission.core.groups import LOCAL
from fission.engine.client.views import STATES
from fission.placement.model import natural
from fission.project.suggest import counted

__all__ = ["StartProgress", "start_waits_for"]

_FIRST = 1.5
"""Seconds; the view looks twice a second, so that a start is never silent for more than two."""

_LONGEST = 60.0
_NAMED = 4
"""Nodes or jobs that one line names."""

_STARTED = (JobState.RUNNING, JobState.FINISHED)


class StartProgress:
    """Tells when it is time to report again: after 1.5 s, then each time after twice as long, at most after a minute."""

    def __init__(self) -> None:
        self._next = _FIRST

    def due(self, seconds: float) -> bool:
        """Return whether to report now, `seconds` after the start."""
        if seconds < self._next:
            return False
        self._next = seconds + min(seconds, _LONGEST)
        return True


def start_waits_for(coordinator: Coordinator, names: Mapping[int, str], invited: Collection[str]) -> str:
    """Describe what the start waits for; "" once all jobs have started. `names` has the names of the jobs."""
    if coordinator.phase is Phase.GATHERING:
        nodes = coordinator.nodes
        missing = [
            one for one in invited if one not in nodes or not (nodes[one].service or nodes[one].reason)
        ]
        if missing:
            return f"waits for {counted(len(missing), 'node')}: {_some(sorted(missing, key=natural))}"
        return "sends files to nodes" if invited else "prepares the jobs"
    late = [job for job in coordinator.jobs.values() if job.state not in _STARTED]
    if coordinator.phase is not Phase.RUNNING or not late:
        return ""
    told = []
    for job in late:
        place = "" if job.node is None else " on the client" if job.node == LOCAL else f" on {job.node}"
        told.append(f"{names[job.id]} ({STATES[job.state]}{place})")
    return f"waits for {counted(len(late), 'job')}: {_some(told)}"


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
