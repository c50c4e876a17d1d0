"""Console output of a run on nodes: the nodes that answered, the placement, then the same as for a simulation."""

from collections.abc import Mapping, Sequence

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from fission.cluster.state import NodeRecord
from fission.cluster.transitions import NodeStatus
from fission.core.groups import ALL
from fission.core.levels import WARNING
from fission.core.network import Network
from fission.management.console.job_console import JobConsole
from fission.management.console.placement_table import render_placement
from fission.management.console.tables import LOAD, Row, load_cells, show, table
from fission.placement import Placement

_LARGE = 4 << 20
"""Transfers of at least this many bytes get a progress bar."""

_STATES = {
    NodeStatus.UP: "up",
    NodeStatus.FENCED: "ending old jobs",
    NodeStatus.DRAINING: "draining",
    NodeStatus.AWAITED: "awaited",
    NodeStatus.LOST: "lost",
    NodeStatus.REFUSED: "refused",
}


class ClusterConsole(JobConsole):
    """Prints the events of a run (a `RunObserver`)."""

    def __init__(self, network: Network, *, quiet: bool) -> None:
        super().__init__(network, quiet=quiet)
        self._bars: Progress | None = None
        self._tasks: dict[str, int] = {}

    def __exit__(self, *exc: object) -> None:
        self._end_bars()
        super().__exit__(*exc)

    def nodes(self, nodes: Sequence[NodeRecord], missing: Mapping[str, str]) -> None:
        """Print the nodes that answered, and a warning for each of the others."""
        if not self._quiet and nodes:
            show(self._console, _node_table(nodes))
        for address, reason in missing.items():
            because = f" ({reason})" if reason else ""
            self.log(None, WARNING, f"node {address} has not answered{because}; it may join later")
        if missing:
            self.news(None, f"`fission doctor {self._network.name}` finds out why")

    def news(self, job: int | None, text: str) -> None:
        """Print an event of a job or a node."""
        if not self._quiet:
            name = "" if job is None else f"{self._labels[job].strip()}: "
            self._console.print(Text(f"{name}{text}", style="dim"))

    def placed(self, placement: Placement) -> None:
        """Print the placement."""
        if not self._quiet:
            self._console.print()
            show(self._console, render_placement(placement))
            self._console.print()

    def progress(self, node: str, done: int, total: int) -> None:
        """Update the progress bar of a large transfer."""
        if total < _LARGE or self._quiet or not self._console.is_terminal:
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
    """Make the table of nodes. The reason of a refusal is too long for a cell and has a line of its own."""
    rows: list[Row] = []
    for node in nodes:
        state = node.state
        name, slots, load, groups = "", "", ("", ""), ""
        if state is not None:
            name = "" if state.name == node.address else state.name
            slots = f"{state.slots - state.occupied} of {state.slots}"
            load = load_cells(state.info.cpu, state.info.memory)
            groups = ", ".join(sorted(state.groups - {ALL}))
        status = Text(_STATES[node.status], style="" if node.status is NodeStatus.UP else "red")
        versions = [node.versions.get(what, "") for what in ("python", "fission")]
        rows.append((node.address, name, slots, *load, groups, *versions, status))
    titles = ("node", "name", "slots", *LOAD, "groups", "python", "fission", "state")
    return table(titles, rows, numbers=("slots", *LOAD))
