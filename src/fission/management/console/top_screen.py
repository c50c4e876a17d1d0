"""The screen of `top`: what it shows of a network, and what its keys ask for. It reads and prints nothing."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fission.management.console.tables import load_cells, printable
from fission.monitor.rates import block_rates, pipe_rates

KEPT_LINES = 8
"""Lines of each job's log that are kept."""

_HELP = "up/down job  m move  d drain its node  u undo drain  r restart  l log  q quit"
_GAP = 1
_Row = Sequence[str]


class Screen:
    """`update` with each view of the network, `press` with each key, `render` to draw; `message` is shown at the bottom."""

    def __init__(self, view: Mapping[str, Any]) -> None:
        self.message = ""
        self.lines: dict[int, deque[str]] = {}
        """The last lines of the log of each job, by its id."""
        self._view, self._before = view, view
        self._chosen = 0
        self._logs = False
        self._asking: Mapping[str, Any] | None = None

    def update(self, view: Mapping[str, Any]) -> None:
        """Take in a newer view."""
        self._before, self._view = self._view, view
        self._chosen = min(self._chosen, max(0, len(view["jobs"]) - 1))

    def press(self, key: str) -> Mapping[str, Any] | None:
        """Follow a key; return the request for the client that has been confirmed, if there is one."""
        asked, self._asking = self._asking, None
        if asked is not None:
            self.message = "asks the client" if key == "y" else ""
            return asked if key == "y" else None
        jobs = self._view["jobs"]
        if key in ("up", "down"):
            self._chosen = max(0, min(len(jobs) - 1, self._chosen + (1 if key == "down" else -1)))
        elif key == "l":
            self._logs = not self._logs
        elif jobs and key in ("m", "d", "u", "r"):
            self._ask(key, jobs[self._chosen])
        return None

    def _ask(self, key: str, job: Mapping[str, Any]) -> None:
        """Ask for a confirmation: what is asked for stops and starts processes."""
        node = job["node"]
        if key in ("d", "u") and node not in [one["address"] for one in self._view["nodes"]]:
            self.message = f"{job['name']} is on no node"
            return
        text, self._asking = {
            "m": (f"move {job['name']} to the best other node", {"do": "move", "job": job["id"], "node": ""}),
            "d": (f"drain {node}", {"do": "drain", "node": node, "undo": False}),
            "u": (f"let {node} take jobs again", {"do": "drain", "node": node, "undo": True}),
            "r": (
                f"restart {job['name']} with the present code",
                {"do": "reload", "job": job["id"]},
            ),
        }[key]
        self.message = f"{text}? y/n"

    # -- drawing -----------------------------------------------------------------------------------------

    def render(self, height: int | None) -> RenderableType:
        """Return what to print on so many lines; None: on as many lines as there are, without keys."""
        view = self._view
        head = f"{view['name']}: {view['phase']}, {view['seconds']:.0f} s, epoch {view['epoch']}"
        nodes, jobs, pipes = self._nodes(), self._jobs(), self._pipes()
        if height is None:
            return Group(Text(printable(head)), *(Group(Text(""), one) for one in _whole(nodes, jobs, pipes)))
        room = max(3, height - 3 - 3 * (1 + _GAP))  # head, message and help; titles and gaps
        most_nodes = min(len(nodes[1]), max(1, room // 4))
        most_jobs = min(len(jobs[1]), max(1, (room - most_nodes) // 2))
        rest = max(1, room - most_nodes - most_jobs)
        parts: list[RenderableType] = [Text(printable(head), style="bold", no_wrap=True, overflow="ellipsis")]
        if nodes[1]:
            parts += [Text(""), _table(*nodes, most=most_nodes)]
        parts += [Text(""), _table(*jobs, most=most_jobs, chosen=self._chosen)]
        parts += [Text(""), self._log(rest + 1) if self._logs else _table(*pipes, most=rest)]
        parts.append(Text(printable(self.message), style="yellow", no_wrap=True, overflow="ellipsis"))
        parts.append(Text(_HELP, style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*parts)

    def _nodes(self) -> tuple[_Row, list[_Row]]:
        rows: list[_Row] = [
            (
                one["address"],
                one["state"],
                f"{one['taken']} of {one['slots']}",
                *load_cells(one["cpu"], one["memory"]),
            )
            for one in self._view["nodes"]
        ]
        return ("node", "state", ">slots", ">free cpu", ">free memory"), rows

    def _jobs(self) -> tuple[_Row, list[_Row]]:
        earlier = {one["id"]: one for one in self._before["jobs"]}
        seconds = self._view["seconds"] - self._before["seconds"]
        rows: list[_Row] = []
        for job in self._view["jobs"]:
            before, rate, load = earlier.get(job["id"]), "", ""
            if before is not None and seconds > 0 and before["incarnation"] == job["incarnation"]:
                rate = f"{max(0, job['round'] - before['round']) / seconds:,.1f}"
                load = f"{100 * max(0.0, job['cpu_seconds'] - before['cpu_seconds']) / seconds:.0f} %"
            starts = str(job["incarnation"])
            cells = (job["name"], job["state"], job["node"] or "-", starts, load, rate, f"{job['round']:,}")
            rows.append(cells)
        return ("job", "state", "node", ">starts", ">cpu", ">rounds/s", ">round"), rows

    def _pipes(self) -> tuple[_Row, list[_Row]]:
        names = {job["id"]: job["name"] for job in self._view["jobs"]}
        blocks, sizes = block_rates(self._before, self._view), pipe_rates(self._before, self._view)
        rows: list[_Row] = []
        for pipe in self._view["pipes"]:
            rate, size = blocks.get(pipe["id"]), sizes.get(pipe["id"])
            rows.append(
                (
                    str(pipe["id"]),
                    names.get(pipe["source"], ""),
                    names.get(pipe["destination"], ""),
                    "" if rate is None else f"{rate:,.1f}",
                    "" if size is None else f"{size[1] / 1000:,.1f}",
                    f"{pipe['queued']:,.0f}",
                    f"{1000 * pipe['lag']:.1f}",
                    f"{pipe['dropped']:,.0f}",
                )
            )
        return ("pipe", "from", "to", ">blocks/s", ">KB/s", ">queued", ">lag ms", ">dropped"), rows

    def _log(self, most: int) -> RenderableType:
        """Return the last lines of the log of the chosen job."""
        jobs = self._view["jobs"]
        if not jobs:
            return Text("")
        job = jobs[self._chosen]
        kept = [line for text in self.lines.get(job["id"], ()) for line in text.split("\n")]
        shown = kept[-max(1, most - 1) :] or ["(nothing yet)"]
        title = Text(f"log of {printable(job['name'])}", style="bold", no_wrap=True, overflow="ellipsis")
        return Group(title, *(Text(printable(line), no_wrap=True, overflow="ellipsis") for line in shown))


def _whole(*tables: tuple[_Row, list[_Row]]) -> list[Table]:
    return [_table(titles, rows, most=len(rows)) for titles, rows in tables if rows]


def _table(titles: _Row, rows: Sequence[_Row], *, most: int, chosen: int | None = None) -> Table:
    """Make a table of at most so many lines around the chosen row. A title that begins with > is that of numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    longest = max((len(row[0]) for row in rows), default=0)
    for title in titles:
        right = title.startswith(">")
        made.add_column(
            title.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=len(title) - 1 if right else min(longest, 16) if title == titles[0] else None,
        )
    first = 0 if chosen is None else max(0, min(chosen - most // 2, len(rows) - most))
    shown = rows[first : first + most]
    hidden = len(rows) - len(shown)
    for index, row in enumerate(shown, first):
        cells = [Text(printable(cell)) for cell in row]
        if hidden and index == first + len(shown) - 1 and chosen != index:
            cells = [Text(f"... {hidden + 1} more", style="dim"), *(Text("") for _ in row[1:])]
        made.add_row(*cells, style="reverse" if index == chosen else None)
    return made
