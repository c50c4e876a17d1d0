"""Loads problems and plans from files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fission.planning.document import embedding_from, problem_from
from fission.planning.files import read_text
from fission.planning.formats.graphs import document_of_graph, document_of_graphml, document_of_node_link
from fission.planning.formats.marvelo import documents_of_folder
from fission.planning.formats.xml import document_of_xml
from fission.planning.model import Embedding, EmbeddingError, Problem

__all__ = ["from_networkx", "load", "load_all", "load_plan"]

_PARSERS: Mapping[str, Callable[[str], object]] = {".graphml": document_of_graphml, ".xml": document_of_xml}


def from_networkx(graph: Any) -> Problem:
    """Return the problem of a directed graph of networkx. Raises EmbeddingError.

    Vertices have `kind`, "node" or "block", and the fields of these as attributes; edges are links between blocks; the graph
    may have `noise`, `bandwidth`, `exponent` and `name`.
    """
    return problem_from(document_of_graph(graph))


def load(path: str | Path, instance: str | None = None) -> Problem:
    """Return the problem in a file or folder; of one with several, the one with the name `instance`.

    JSON, node-link JSON, GraphML (`.graphml`), XML (`.xml`) or a folder of MARVELO's CSV files. Raises EmbeddingError, which
    names the file, the field and what was expected.
    """
    problems = _problems(Path(path), instance)
    if instance is None:
        if len(problems) == 1:
            return problems[0]
        raise EmbeddingError(
            f"it has {len(problems)} instances",
            where=str(path),
            expected="the name of one",
            hint=_some(problems),
        )
    for problem in problems:
        if problem.name == instance:
            return problem
    raise EmbeddingError(f"it has no instance {instance!r}", where=str(path), hint=_some(problems))


def load_all(path: str | Path) -> list[Problem]:
    """Return all problems in a file or folder. Raises EmbeddingError as `load`."""
    return _problems(Path(path), None)


def _problems(path: Path, instance: str | None) -> list[Problem]:
    if path.is_dir():
        found = [_placed(problem_from, data, where) for where, data in documents_of_folder(path, instance)]
        if not found:
            raise EmbeddingError("it has no such instance", where=str(path), expected="a name like n4b3s10")
        return found
    if path.suffix in _PARSERS:
        document: object = _placed(_PARSERS[path.suffix], read_text(path), str(path))
    else:
        document = _json(path)
    if isinstance(document, dict) and "directed" in document and "blocks" not in document:
        document = _placed(document_of_node_link, document, str(path))
    if isinstance(document, dict) and isinstance(document.get("instances"), list):
        instances = document["instances"]
        if not instances:
            raise EmbeddingError("the list is empty", where=f"{path}, instances", expected="at least one")
        return [_placed(problem_from, one, f"{path}, instances[{n}]") for n, one in enumerate(instances)]
    return [_placed(problem_from, document, str(path))]


def load_plan(path: str | Path) -> Embedding:
    """Return the embedding in a file that `Plan.save` or `fission plan -o` has written. Raises EmbeddingError."""
    found: Embedding = _placed(embedding_from, _json(path), str(path))
    return found


def _placed(build: Callable[[Any], Any], document: Any, where: str) -> Any:
    try:
        return build(document)
    except EmbeddingError as error:
        error.where = f"{where}, {error.where}" if error.where else where
        raise


def _json(path: str | Path) -> object:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise EmbeddingError(f"it is no JSON: {error.msg}", where=where) from error
    except RecursionError as error:
        raise EmbeddingError("it is nested too deeply", where=str(path)) from error


def _some(problems: list[Problem]) -> str:
    names = [problem.name or "(without a name)" for problem in problems]
    return f"There are {', '.join(names[:6])}{', ...' * (len(names) > 6)}"
