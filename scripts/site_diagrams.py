"""A hook of MkDocs: draws the Mermaid diagrams of the pages with Graphviz while the site is built.

GitHub and editors draw Mermaid by themselves. Material for MkDocs would fetch 3 MB of JavaScript from another host
whenever somebody reads a page, and show nothing without a network. Drawn here, a diagram is part of the page.

Only what our pages use is understood: `graph` with jobs, pipes and one level of subgraphs, and `stateDiagram-v2` with
states and arrows. Anything else is a ValueError, which ends the build. Without the program `dot` the pages keep their
Mermaid.
"""

import logging
import re
import shutil
import subprocess
from typing import Any

_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NODE = r'(\w+)(?:\("?([^")]*)"?\))?'
_JOB = re.compile(_NODE)
_PIPE = re.compile(_NODE + r"\s*(-->|-\.->)\s*(?:\|([^|]*)\|\s*)?" + _NODE)
_STATES = re.compile(r"(\w+|\[\*\])\s*-->\s*(\w+)(?::\s*(.*))?")
_HEAD = """digraph {
graph [fontname="sans-serif", fontsize=12, bgcolor=transparent, style=rounded, nodesep=0.25, pad=0.1];
node [fontname="sans-serif", fontsize=12, shape=box, style=rounded, height=0.4];
edge [fontname="sans-serif", fontsize=11, arrowsize=0.7];
"""


def on_page_markdown(markdown: str, **_kwargs: Any) -> str:
    """Put a drawing in the place of every Mermaid diagram; called by MkDocs for every page."""
    if shutil.which("dot") is None:
        if _FENCE.search(markdown):
            logging.getLogger("mkdocs.hooks").info(
                "dot is not installed: diagrams are drawn by the reader's browser"
            )
        return markdown
    return _FENCE.sub(lambda fence: draw(fence[1]), markdown)


def draw(mermaid: str) -> str:
    """The HTML of a diagram."""
    done = subprocess.run(["dot", "-Tsvg"], input=to_dot(mermaid), capture_output=True, text=True, check=True)  # noqa: S607
    svg = re.sub(
        r"<!--.*?-->\n?|<title>.*?</title>\n?", "", done.stdout[done.stdout.index("<svg") :], flags=re.DOTALL
    )
    return f'<figure class="diagram" markdown="0">\n{svg.strip()}\n</figure>'


def to_dot(mermaid: str) -> str:
    """A diagram in the language of Graphviz. Raises ValueError for a line that is not understood."""
    first, *lines = (line.strip() for line in mermaid.strip().splitlines())
    if first == "stateDiagram-v2":
        body = "\n".join(map(_transition, lines))
    elif first in ("graph LR", "graph TD"):
        body = "\n".join([f"rankdir={first[-2:].replace('TD', 'TB')}", *map(_part, lines)])
    else:
        raise ValueError(f"a diagram of an unknown kind: {first}")
    return f"{_HEAD}{body}\n}}\n"


def _transition(line: str) -> str:
    found = _STATES.fullmatch(line)
    if found is None:
        raise ValueError(f"no transition: {line}")
    before, after, events = found.groups()
    if before == "[*]":
        return f'"[*]" [shape=point, width=0.15]\n"[*]" -> {after}'
    label = "\n".join(f" {event} " for event in (events or "").split(", "))
    return f"{before} -> {after} [label={_quoted(label)}]"


def _part(line: str) -> str:
    if line.startswith("subgraph "):
        name = line.removeprefix("subgraph ")
        return f"subgraph {_quoted('cluster_' + name)} {{\nlabel={_quoted(name)}"
    if line == "end":
        return "}"
    if found := _PIPE.fullmatch(line):
        source, source_text, arrow, label, target, target_text = found.groups()
        style = ", style=dashed" if arrow == "-.->" else ""
        ends = _job(source, source_text) + _job(target, target_text)
        return f"{ends}{source} -> {target} [label={_quoted(label or '')}{style}]"
    if found := _JOB.fullmatch(line):
        return _job(*found.groups())
    raise ValueError(f"neither a job nor a pipe: {line}")


def _job(name: str, text: str | None) -> str:
    return "" if text is None else f"{name} [label={_quoted(text)}]\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
