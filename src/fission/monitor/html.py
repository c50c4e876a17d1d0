"""The state of a running network as a piece of HTML, for notebooks."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

__all__ = ["to_html"]


def to_html(view: Mapping[str, Any]) -> str:
    """Return the phase, the jobs and the nodes of a plain `NetworkView`; texts are escaped."""
    jobs = [
        (job["name"], job["state"], job["node"] or "-", f"{job['incarnation']}", f"{job['round']:,}")
        for job in view["jobs"]
    ]
    nodes = [
        (
            node["address"],
            node["state"],
            f"{node['slots'] - node['taken']} of {node['slots']}",
            node["reason"],
        )
        for node in view["nodes"]
    ]
    parts = [
        f"<p><b>{escape(view['name'])}</b>: {escape(view['phase'])}, {view['seconds']:.0f} s</p>",
        _table(("job", "state", "node", "starts", "round"), jobs),
    ]
    if nodes:
        parts.append(_table(("node", "state", "free slots", ""), nodes))
    return "".join(parts)


def _table(titles: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
