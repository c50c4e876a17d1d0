"""`graph` (`graphviz` in manage.py): draw a network as a picture, or as DOT or Mermaid text."""

import sys
from collections.abc import Mapping
from pathlib import Path

from fission.core.network import Network
from fission.errors import FissionError, ProjectError
from fission.management.access.output_files import write_output
from fission.management.access.problems import count, load_and_check
from fission.management.access.running_client import ask
from fission.project.formats.picture import render, to_dot, to_mermaid

PICTURES = ("pdf", "svg", "png")
_TEXTS = {"dot": to_dot, "mermaid": to_mermaid}
_FORMS = (*PICTURES, *_TEXTS)
_SUFFIXES = {".gv": "dot", ".mmd": "mermaid", ".md": "mermaid"} | {f".{form}": form for form in _FORMS}


def graph_command(root: Path, name: str, *, output: Path | None, form: str | None) -> int:
    """Draw a network to `output`. Default: network.pdf in its folder for a picture, stdout for text.

    The parts of an incomplete network are drawn, too; a running network is drawn with its nodes. Raises ProjectError and
    ConfigError.
    """
    form = form or _form_of(output)
    if form not in _FORMS:
        raise ProjectError("unknown format", where=form, expected=f"one of {', '.join(_FORMS)}")
    network, problems = load_and_check(root, name)
    if any(problem.level == "error" for problem in problems):
        print(f"warning: {count(problems)}: fission check {network.name}", file=sys.stderr)
    places = where_jobs_are(root, name)
    if form in _TEXTS and output is None:
        print(_TEXTS[form](network, places), end="")
        return 0
    path = output or Path(network.folder) / f"network.{form}"
    draw(network, path, form, places)
    print(f"Drew {network.name} into {path}")
    return 0


def where_jobs_are(root: Path, name: str) -> dict[int, str]:
    """Return the node of each job of a running network; {} when it does not run."""
    try:
        answer = ask(root, name, do="status")
    except FissionError:  # the client is stopping or cannot answer: draw without nodes
        return {}
    if answer is None:
        return {}
    nodes = answer["network"]["nodes"]
    titles = {node["address"]: f"{node['address']} ({node['name']})" for node in nodes if node["name"]}
    jobs = answer["network"]["jobs"]
    return {job["id"]: titles.get(job["node"], job["node"]) for job in jobs if job["node"]}


def draw(network: Network, path: Path, form: str, places: Mapping[int, str]) -> None:
    """Write the drawing to a file. Raises ProjectError; the old file stays then."""
    text = form in _TEXTS
    content = _text(network, path, form, places).encode() if text else render(network, form, places)
    write_output(path, content, "the picture")


def _text(network: Network, path: Path, form: str, places: Mapping[int, str]) -> str:
    text = _TEXTS[form](network, places)
    return f"```mermaid\n{text}```\n" if path.suffix.lower() == ".md" else text


def _form_of(output: Path | None) -> str:
    if output is None:
        return "pdf"
    return _SUFFIXES.get(output.suffix.lower(), output.suffix.removeprefix(".") or str(output))
