"""What a person sees of a run: the nodes that answered, which job went where, then all that `simulate` shows as well."""

from collections.abc import Mapping, Sequence

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from fission.cluster.board import NodeRecord
from fission.cluster.states import NodeLife
from fission.core.network import Network
from fission.management._console import RunConsole
from fission.management.place import render_placement
from fission.placement import Placement

_LARGE = 4 << 20
"""Bytes from which on a transfer gets a bar."""

_LIVES = {NodeLife.UP: "up", NodeLife.FENCED: "ends old jobs", NodeLife.DRAINING: "takes no jobs"}


class ClusterConsole(RunConsole):
    """A `RunWatcher` for people."""

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
            self._console.print(_node_table(nodes))
        for address, reason in missing.items():
            because = f": {reason}" if reason else ""
            self.log(None, 30, f"node {address} has not answered{because}; it may join later")

    def news(self, job: int | None, text: str) -> None:
        """Show what happened to a job or a node."""
        if not self._quiet_run:
            name = "" if job is None else f"{self._labels[job].strip()}: "
            self._console.print(Text(f"{name}{text}", style="dim"))

    def placed(self, placement: Placement) -> None:
        """Show where the jobs go."""
        if not self._quiet_run:
            self._console.print()
            self._console.print(render_placement(placement))
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
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("node", "name", "slots", "free cpu", "free memory", "groups", "python", "fission", "state"):
        right = title in ("slots", "free cpu", "free memory")
        table.add_column(title, justify="right" if right else "left")
    for node in nodes:
        state = node.state
        table.add_row(
            node.address,
            "" if state is None or state.name == node.address else state.name,
            "" if state is None else f"{state.slots - state.occupied} of {state.slots}",
            "" if state is None else f"{state.info.cpu:.0f} %",
            "" if state is None else f"{state.info.memory / 2**20:,.0f} MB",
            "" if state is None else ", ".join(sorted(state.groups)),
            node.versions.get("python", ""),
            node.versions.get("fission", ""),
            Text(
                _LIVES.get(node.life, node.reason or str(node.life)),
                style="" if node.life is NodeLife.UP else "red",
            ),
        )
    return table
