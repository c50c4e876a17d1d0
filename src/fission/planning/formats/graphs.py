"""Graphs as problems: vertices with the kind `node` or `block`, and edges between blocks. GraphML needs networkx."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import ParseError

from fission.planning.model import EmbeddingError

__all__ = ["document_of_graph", "document_of_graphml", "document_of_node_link"]

_RADIO = ("noise", "bandwidth", "exponent")
_KINDS = ("node", "block")


def document_of_graph(graph: Any) -> dict[str, Any]:
    """Return the plain data of a directed graph of networkx. Raises EmbeddingError."""
    if not graph.is_directed():
        raise EmbeddingError("the graph is not directed", where="graph", expected="a DiGraph")
    return _document(graph.graph, graph.nodes(data=True), graph.edges())


def document_of_node_link(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain data of node-link JSON, with its edges in `links` or `edges`. Raises EmbeddingError."""
    edges = document.get("links", document.get("edges"))
    attributes = document.get("graph", {})
    for name, value, kind in (
        ("nodes", document.get("nodes"), list),
        ("links", edges, list),
        ("graph", attributes, dict),
    ):
        if not isinstance(value, kind):
            raise EmbeddingError("it is wrong", where=name, expected=f"a {kind.__name__}")
    if document.get("directed") is not True:
        raise EmbeddingError("the graph is not directed", where="directed", expected="true")
    vertices = []
    for number, one in enumerate(document["nodes"]):
        if not isinstance(one, dict) or not isinstance(one.get("id"), str | int):
            raise EmbeddingError("it is wrong", where=f"nodes[{number}]", expected="an object with an id")
        vertices.append((one["id"], one))
    ends = []
    for number, one in enumerate(edges or ()):
        if (
            not isinstance(one, dict)
            or not isinstance(one.get("source"), str | int)
            or not isinstance(one.get("target"), str | int)
        ):
            raise EmbeddingError(
                "it is wrong", where=f"links[{number}]", expected="an object with source and target"
            )
        ends.append((one["source"], one["target"]))
    return _document(attributes, vertices, ends)


def document_of_graphml(text: str) -> dict[str, Any]:
    """Return the plain data of GraphML. Entities are refused. Raises EmbeddingError."""
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - only for these files
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    try:
        import networkx  # noqa: PLC0415 - heavy, and an extra
    except ImportError as error:
        raise EmbeddingError(
            "GraphML needs networkx, which is not installed", hint="Install it: pip install 'fission[plan]'"
        ) from error
    try:
        fromstring(text, forbid_entities=True, forbid_external=True)
        return document_of_graph(networkx.parse_graphml(text))
    except DefusedXmlException as error:
        raise EmbeddingError("entities are not allowed") from error
    except (ParseError, networkx.NetworkXError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, EmbeddingError):
            raise
        raise EmbeddingError(f"it is no GraphML: {str(error)[:200]}") from error


def _document(
    attributes: Mapping[str, Any],
    vertices: Iterable[tuple[Hashable, Mapping[str, Any]]],
    edges: Iterable[tuple[Hashable, Hashable]],
) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for name, data in vertices:
        kind = data.get("kind", "node" if "x" in data else "block")
        if kind not in found:
            raise EmbeddingError(
                "it is wrong", where=f"vertex {name}, kind", expected="node or block", found=repr(kind)[:80]
            )
        found[kind].append({**data, "name": str(data.get("name", name))})
    return {
        "name": str(attributes.get("name", "")),
        "radio": {key: attributes[key] for key in _RADIO if key in attributes},
        "nodes": found["node"],
        "blocks": found["block"],
        "links": [[str(source), str(target)] for source, target in edges],
    }
