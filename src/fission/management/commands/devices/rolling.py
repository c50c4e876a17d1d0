"""Keeps running networks whole while a node restarts: its jobs are moved away first and it takes jobs again afterwards."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fission.cluster.transitions import REACHABLE, JobState, NodeStatus
from fission.engine.client.views import STATES
from fission.errors import FissionError, RunError
from fission.management.access.running_client import ask
from fission.project.load import networks_of

_MOVE_SECONDS = 120.0
_RETURN_SECONDS = 120.0
_POLL_SECONDS = 0.2
_UP, _DRAINING = NodeStatus.UP.name.lower(), NodeStatus.DRAINING.name.lower()
_USED = frozenset(status.name.lower() for status in REACHABLE)


def running_networks(root: Path | None) -> list[str]:
    """Return the networks of the project that run now."""
    names = networks_of(root) if root is not None else ()
    return [name for name in names if _view(root, name) is not None]


def networks_with(root: Path | None, address: str) -> list[str]:
    """Return the running networks that use a node. One that is lost or refused has nothing to be moved away."""
    return [name for name in running_networks(root) if _state(_view(root, name), address) in _USED]


@contextmanager
def drained(root: Path | None, address: str, say: Callable[[str], None]) -> Iterator[None]:
    """Keep the jobs of all running networks away from a node during the block, and wait until it takes jobs again.

    A node that was drained before stays so. Raises RunError when jobs stay, or the node does not come back.
    """
    begun: list[str] = []
    try:
        for name in networks_with(root, address):
            view = _view(root, name)
            waiting = _waiting(view)
            if _state(view, address) != _DRAINING:
                begun.append(name)  # before: an interrupted request may have arrived
                _tell(root, name, address, undo=False)
            say(f"moving the jobs of {name} away")
            settled = partial(_settled, root, name, address, waiting)
            _wait(settled, _MOVE_SECONDS, partial(_stays, name, address))
        yield
    finally:
        for name in begun:
            if _view(root, name) is not None:
                _tell(root, name, address, undo=True)
    for name in begun:
        say(f"waiting until {name} uses it again")
        _wait(
            partial(_is_back, root, name, address),
            _RETURN_SECONDS,
            partial(_stays_away, root, name, address),
        )


def _settled(root: Path | None, name: str, address: str, waiting: frozenset[int]) -> bool:
    return not _unsettled(_view(root, name), address, waiting)


def _is_back(root: Path | None, name: str, address: str) -> bool:
    view = _view(root, name)
    return view is None or _state(view, address) in (_UP, "")


def _stays_away(root: Path | None, name: str, address: str) -> RunError:
    # not before the deadline: a service that is about to end refuses its clients, too
    nodes = (_view(root, name) or {"nodes": ()})["nodes"]
    reason = next((one["reason"] for one in nodes if one["address"] == address), "")
    return RunError(
        f"the node does not join the network {name} again{f': {reason}' if reason else ''}",
        where=address,
        hint=f"fission status {name} shows its state",
    )


def _stays(name: str, address: str) -> RunError:
    return RunError(
        f"jobs of the network {name} stay on the node, because no other node takes them",
        where=address,
        hint=f"fission place {name} --explain shows why; or stop the network: fission stop {name}",
    )


def _tell(root: Path | None, name: str, address: str, *, undo: bool) -> None:
    answer = {} if root is None else ask(root, name, do="drain", node=address, undo=undo) or {}
    if errors := answer.get("errors"):
        raise RunError("; ".join(map(str, errors)), where=f"network {name}, node {address}")


def _view(root: Path | None, name: str) -> dict[str, Any] | None:
    """Return the view of a running network; None when it does not run."""
    try:
        answer = None if root is None else ask(root, name, do="status")
    except FissionError:
        return None  # its client begins or ends
    view: dict[str, Any] | None = None if answer is None else answer.get("network")
    return view


def _state(view: dict[str, Any] | None, address: str) -> str:
    nodes = () if view is None else view["nodes"]
    return next((str(one["state"]) for one in nodes if one["address"] == address), "")


def _unsettled(view: dict[str, Any] | None, address: str, waiting: frozenset[int]) -> list[int]:
    """Return the jobs on a node, and those on their way; jobs in `waiting` waited before the node was drained."""
    jobs = () if view is None else view["jobs"]
    return [
        one["id"]
        for one in jobs
        if one["state"] not in _ENDED
        and (one["node"] == address or (one["state"] in _MOVING and one["id"] not in waiting))
    ]


def _waiting(view: dict[str, Any] | None) -> frozenset[int]:
    jobs = () if view is None else view["jobs"]
    return frozenset(one["id"] for one in jobs if one["state"] == STATES[JobState.WAITING])


_ENDED = frozenset({STATES[JobState.FINISHED], STATES[JobState.STOPPED]})
_MOVING = frozenset(
    STATES[state] for state in (JobState.WAITING, JobState.STARTING, JobState.STOPPING, JobState.MOVING)
)


def _wait(reached: Callable[[], bool], seconds: float, error: Callable[[], RunError]) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise error()
        time.sleep(_POLL_SECONDS)
