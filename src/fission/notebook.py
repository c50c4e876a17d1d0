"""Views of running networks for notebooks: the state of a network, and a picture of it that is updated in its cell.

```python
from fission.notebook import status, watch

watch("demo")      # goes on while other cells run, until the network ends
status("demo")     # tables, once
```

The network runs elsewhere: in a terminal, or in the background (`fission run demo --detach`).
"""

import importlib
import threading
from html import escape
from pathlib import Path
from time import monotonic
from typing import Any

from fission.core.network import Network
from fission.errors import FissionError, ProjectError, RunError, UserError
from fission.management.access.project_root import find_root
from fission.management.access.running_client import ask, ask_simulation, no_client
from fission.monitor import NetworkView
from fission.monitor.html import to_html
from fission.monitor.rates import block_rates
from fission.project.formats.picture import Activity, render
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
    if not interval > 0:
        raise UserError("the interval must be positive", expected="seconds", found=repr(interval))
    root = find_root(None if project is None else Path(project))
    network, _ = load_network(root, name)
    first = _ask(root, name)
    if first is None:
        raise no_client(root, name)
    return LiveView(network, root, first, interval, seconds)


class LiveView:
    """The view of a network in one cell: `stop()` ends its updates, `wait()` returns when they have ended."""

    def __init__(
        self, network: Network, root: Path, first: dict[str, Any], interval: float, seconds: float | None
    ) -> None:
        try:
            shown: Any = importlib.import_module("IPython.display")  # only notebooks have it
        except ImportError as error:
            raise UserError(
                "watch shows a network in a notebook, and IPython is not installed",
                hint="In a terminal: fission status NET",
            ) from error
        self._html = shown.HTML
        self._network = network
        self._root = root
        self._last = first
        self._interval = interval
        self._end = None if seconds is None else monotonic() + seconds
        self._over = threading.Event()
        self._display = shown.display(shown.HTML(self._draw(first, {})), display_id=True)
        self._thread = threading.Thread(target=self._follow, name="fission-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the updates; what is shown stays."""
        self._over.set()
        self._thread.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the updates have ended, for `timeout` seconds at most; return whether they have."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- inside ------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._over.wait(self._interval):
            try:
                now = _ask(self._root, self._network.name)
            except FissionError as error:
                self._show(self._draw(self._last, {}), f"it cannot be asked any more: {error}")
                return
            if now is None or now["run"] != self._last["run"]:
                self._show(self._draw(self._last, {}), "it has ended")
                return
            rates = block_rates(self._last, now)
            self._last = now
            if self._end is not None and monotonic() >= self._end:
                self._show(self._draw(now, rates), "no more updates")
                return
            self._show(self._draw(now, rates))

    def _show(self, body: str, remark: str = "") -> None:
        if self._display is not None:  # without a front end nothing is shown
            note = f"<p><i>{escape(remark)}</i></p>" if remark else ""
            self._display.update(self._html(body + note))

    def _draw(self, view: dict[str, Any], rates: dict[int, float]) -> str:
        states = {job["id"]: job["state"] for job in view["jobs"]}
        places = {job["id"]: job["node"] for job in view["jobs"] if job["node"]}
        try:
            picture = render(self._network, "svg", places, Activity(states, rates)).decode()
            picture = picture[picture.index("<svg") :]  # without the head of a document
        except ProjectError as error:
            picture = f"<p>{escape(str(error))}</p>"
        return picture + to_html(view)


def _ask(root: Path, name: str) -> dict[str, Any] | None:
    """Ask the client that runs or simulates the network; None when there is none. Raises RunError, ProjectError."""
    answer = ask(root, name, do="status") or ask_simulation(root, name, do="status")
    if answer is None:
        return None
    if answer.get("errors"):
        raise RunError(str(answer["errors"][0])[:500], where=f"network {name}")
    view: dict[str, Any] = answer["network"]
    return view
