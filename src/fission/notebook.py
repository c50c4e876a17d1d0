"""Views of running networks for notebooks: the state of a network, and a picture of it that is updated in its cell.

```python
from fission.notebook import status, watch

watch("demo")      # goes on while other cells run, until the network ends
status("demo")     # tables, once
```

The network runs elsewhere: in a terminal, or in the background (`fission run demo --detach`).
"""

from functools import partial
from pathlib import Path
from typing import Any

from fission.api.live_view import LiveView, require_positive
from fission.errors import RunError
from fission.management.access.project_root import find_root
from fission.management.access.running_client import ask, ask_simulation, no_client
from fission.monitor import NetworkView
from fission.project.load import load_network

__all__ = ["LiveView", "status", "watch"]


def status(name: str, *, project: str | Path | None = None) -> NetworkView:
    """Return what a running or simulated network does now; a notebook shows it as tables.

    `project` is its project's folder; by default the nearest one at or above the working directory. Raises RunError when the
    network does not run, and ProjectError when it does not exist.
    """
    root = find_root(None if project is None else Path(project))
    plain = _ask(root, name)
    if plain is None:
        raise no_client(root, name)
    return NetworkView.from_plain(plain)


def watch(
    name: str, *, project: str | Path | None = None, interval: float = 1.0, seconds: float | None = None
) -> "LiveView":
    """Show a running or simulated network in the cell, and update it every `interval` seconds until it ends.

    The updates come from a thread: other cells can run meanwhile. They end after `seconds`, if given. Raises RunError when the
    network does not run, ProjectError when it does not exist, ConfigError when it cannot be loaded, and UserError outside
    of IPython and for an interval that is not positive.
    """
    require_positive(interval)
    root = find_root(None if project is None else Path(project))
    network, _ = load_network(root, name)
    if _ask(root, name) is None:
        raise no_client(root, name)
    return LiveView(network, partial(_ask, root, network.name), interval=interval, seconds=seconds)


def _ask(root: Path, name: str) -> dict[str, Any] | None:
    """Ask the client that runs or simulates the network; None when there is none. Raises RunError, ProjectError."""
    answer = ask(root, name, do="status") or ask_simulation(root, name, do="status")
    if answer is None:
        return None
    if answer.get("errors"):
        raise RunError(str(answer["errors"][0])[:500], where=f"network {name}")
    view: dict[str, Any] = answer["network"]
    return view
