"""The picture of a running network in a cell of a notebook, updated by a thread."""

import importlib
import threading
from collections.abc import Callable
from html import escape
from time import monotonic
from typing import Any

from fission.core.network import Network
from fission.errors import FissionError, ProjectError, RunError, UserError
from fission.monitor.html import to_html
from fission.monitor.rates import block_rates
from fission.project.formats.picture import Activity, render

__all__ = ["LiveView", "require_positive"]


def require_positive(interval: float) -> None:
    """Raise UserError for an interval that is not positive."""
    if not interval > 0:
        raise UserError("the interval must be positive", expected="seconds", found=repr(interval))


class LiveView:
    """The view of a network in one cell: `stop()` ends its updates, `wait()` returns when they have ended.

    `ask` returns the state of the network as plain data, None when it has ended. Raises UserError outside of IPython and for an
    interval that is not positive, RunError when the network does not run.
    """

    def __init__(
        self,
        network: Network,
        ask: Callable[[], dict[str, Any] | None],
        *,
        interval: float,
        seconds: float | None,
    ) -> None:
        require_positive(interval)
        first = ask()
        if first is None:
            raise RunError("the network does not run", where=f"network {network.name}")
        try:
            shown: Any = importlib.import_module("IPython.display")  # only notebooks have it
        except ImportError as error:
            raise UserError(
                "watch shows a network in a notebook, and IPython is not installed",
                hint="In a terminal: fission status NET",
            ) from error
        self._html = shown.HTML
        self._network = network
        self._ask = ask
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
                now = self._ask()
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
