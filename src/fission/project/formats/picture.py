"""Draws networks: as Graphviz DOT, as a Mermaid chart, or rendered by the program `dot`."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from fission.core.jobs import BaseJob, LocalJob
from fission.core.network import Edge, Network
from fission.errors import ProjectError

_NOWHERE: Mapping[int, str] = {}
_FONT = 'fontname="Helvetica,Arial,sans-serif", fontsize=11'


@dataclass(frozen=True, slots=True)
class Activity:
    """What a running network does: the state of each job, and the blocks per second of each pipe, by id."""

    states: Mapping[int, str]
    rates: Mapping[int, float]


_COLORS = {"running": "#d5f0d8", "finished": "#e3e3e3", "stopped": "#e3e3e3", "failed": "#f6c6c6"}
_WAITING = "#fdf0c4"
"""The color of a job that is in none of these states: it waits, starts, or is on its way to another node."""


def to_dot(network: Network, places: Mapping[int, str] = _NOWHERE, activity: Activity | None = None) -> str:
    """Return the network in the DOT language: jobs as boxes, local ones in a cluster, ASYNC pipes dashed.

    `places` (job id to node) are those of a running network: then there is a cluster for each node. With `activity` the
    jobs have the color of their states, and the pipes have rates.
    """
    lines = [
        f"digraph {_quoted(network.name)} {{",
        "    rankdir=LR;",
        f"    graph [{_FONT}, style=rounded, color=gray60];",
        f'    node [{_FONT}, shape=box, style="rounded,filled", fillcolor="#eef3fa"];',
        f"    edge [{_FONT}];",
    ]
    for cluster, title, jobs in _clusters(network, places):
        lines.append(f"    subgraph cluster_{cluster} {{")
        lines.append(f"        label={_quoted(title)};")
        lines += [f"        {job.id} [label={_quoted(job.name)}{_color(job, activity)}];" for job in jobs]
        lines.append("    }")
    for edge in network.edges:
        dashed = ", style=dashed" if edge.pipe.ASYNC else ""
        label = _quoted(_label(edge) + _rate(edge, activity))
        lines.append(f"    {edge.source} -> {edge.destination} [label={label}{dashed}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def to_mermaid(network: Network, places: Mapping[int, str] = _NOWHERE) -> str:
    """Return the network as a Mermaid flow chart, which GitHub and many editors draw; `places` as in `to_dot`."""
    lines = ["graph LR"]
    for cluster, title, jobs in _clusters(network, places):
        lines.append(f"  subgraph {cluster}" + (f'["{_escaped(title)}"]' if title != cluster else ""))
        lines += [f'    {job.id}("{_escaped(job.name)}")' for job in jobs]
        lines.append("  end")
    for edge in network.edges:
        arrow = "-.->" if edge.pipe.ASYNC else "-->"
        lines.append(f"  {edge.source} {arrow}|{_label(edge)}| {edge.destination}")
    return "\n".join(lines) + "\n"


def render(
    network: Network, form: str, places: Mapping[int, str] = _NOWHERE, activity: Activity | None = None
) -> bytes:
    """Return the network as a picture: "pdf", "svg", "png", or another format of `dot`; the rest as in `to_dot`.

    Raises ProjectError when Graphviz is missing or fails.
    """
    program = shutil.which("dot")
    if program is None:
        raise ProjectError(
            "the program dot of Graphviz, which draws pictures, is not installed",
            where=f"network {network.name}",
            hint="sudo apt install graphviz (macOS: brew install graphviz). "
            f"A text format needs no Graphviz: fission graph {network.name} --format mermaid",
        )
    done = subprocess.run(  # noqa: S603 - our own arguments, and a text that we have quoted
        [program, f"-T{form}"],
        input=to_dot(network, places, activity).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip().splitlines()
        raise ProjectError(
            "dot cannot draw it", where=f"network {network.name}", found=message[0] if message else ""
        )
    return done.stdout


def _clusters(network: Network, places: Mapping[int, str]) -> list[tuple[str, str, list[BaseJob]]]:
    """Return name, title and jobs of each box around jobs: nodes and client, or the current places."""
    if places:
        nodes = list(dict.fromkeys(places.values()))
        found = [
            (f"node_{number}", node, [job for job in network.jobs if places.get(job.id) == node])
            for number, node in enumerate(nodes, start=1)
        ]
        found.append(("nowhere", "on no node", [job for job in network.jobs if job.id not in places]))
    else:
        found = [
            ("network", "network", [job for job in network.jobs if not isinstance(job, LocalJob)]),
            ("locals", "locals", [job for job in network.jobs if isinstance(job, LocalJob)]),
        ]
    return [one for one in found if one[2]]


def _label(edge: Edge) -> str:
    count = edge.pipe.BLOCK_COUNT
    return f"{edge.pipe.id} x{count}" if count != 1 else str(edge.pipe.id)


def _color(job: BaseJob, activity: Activity | None) -> str:
    if activity is None:
        return ""
    return f', fillcolor="{_COLORS.get(activity.states.get(job.id, ""), _WAITING)}"'


def _rate(edge: Edge, activity: Activity | None) -> str:
    if activity is None or edge.pipe.id not in activity.rates:
        return ""
    return f"\n{activity.rates[edge.pipe.id]:,.0f}/s"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
