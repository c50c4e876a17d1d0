"""What a person sees of a run: the nodes that answered, which job went where, then all that `simulate` shows as well."""

from collections.abc import Mapping, Sequence

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from fission.cluster.state import NodeRecord
from fission.cluster.transitions import NodeStatus
from fission.core.groups import ALL
from fission.core.levels import WARNING
from fission.core.network import Network
from fission.management.console.job_console import RunConsole
from fission.management.console.placement_table import render_placement
from fission.management.console.tables import LOAD, Row, load_cells, show, table
from fission.placement import Placement

_LARGE = 4 << 20
"""Bytes from which on a transfer gets a bar."""

_LIVES = {
    NodeStatus.UP: "up",
    NodeStatus.FENCED: "ends old jobs",
    NodeStatus.DRAINING: "takes no jobs",
    NodeStatus.AWAITED: "is awaited",
    NodeStatus.LOST: "lost",
    NodeStatus.REFUSED: "refused",
}


class ClusterConsole(RunConsole):
    """A `RunObserver` for people."""

    def __init__(self, network: Network, *, quiet: bool) -> None:
        super().__init__(network, quiet=quiet)
        self._quiet_run = quiet
        self._bars: Progress | None = None
        self._tasks: dict[str, int] = {}

    def __exit__(self, *exc: object) -> None:
        self._end_bars()
        super().__exit__(*exc)

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """Show the nodes that answered, and name those that did not."""
        if not self._quiet_run and nodes:
            show(self._console, _node_table(nodes))
        for address, reason in missing.items():
            because = f": {reason}" if reason else ""
            self.log(None, WARNING, f"node {address} has not answered, and may join later{because}")

    def news(self, job: int | None, text: str) -> None:
        """Show what happened to a job or a node."""
        if not self._quiet_run:
            name = "" if job is None else f"{self._labels[job].strip()}: "
            self._console.print(Text(f"{name}{text}", style="dim"))

    def placed(self, placement: Placement) -> None:
        """Show where the jobs go."""
        if not self._quiet_run:
            self._console.print()
            show(self._console, render_placement(placement))
            self._console.print()

    def progress(self, node: str, done: int, total: int) -> None:
        """Show how far a large transfer is."""
        if total < _LARGE or self._quiet_run or not self._console.is_terminal:
            return
        if self._bars is None:
            self._bars = Progress(
                TextColumn("files to {task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=self._console,
                transient=True,
            )
            self._end_live()
            self._bars.start()
        if node not in self._tasks:
            self._tasks[node] = self._bars.add_task(node, total=total)
        self._bars.update(self._tasks[node], completed=done, total=total)  # type: ignore[arg-type]  # it is a TaskID
        if all(task.finished for task in self._bars.tasks):
            self._end_bars()
            self._begin_live()

    def _end_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()


def _node_table(nodes: Sequence[NodeRecord]) -> Table:
    """Why a node was refused or lost stands in a line of its own, which is longer than a table may be."""
    rows: list[Row] = []
    for node in nodes:
        state = node.state
        name, slots, load, groups = "", "", ("", ""), ""
        if state is not None:
            name = "" if state.name == node.address else state.name
            slots = f"{state.slots - state.occupied} of {state.slots}"
            load = load_cells(state.info.cpu, state.info.memory)
            groups = ", ".join(sorted(state.groups - {ALL}))
        life = Text(_LIVES[node.status], style="" if node.status is NodeStatus.UP else "red")
        versions = [node.versions.get(what, "") for what in ("python", "fission")]
        rows.append((node.address, name, slots, *load, groups, *versions, life))
    titles = ("node", "name", "slots", *LOAD, "groups", "python", "fission", "state")
    return table(titles, rows, numbers=("slots", *LOAD))
