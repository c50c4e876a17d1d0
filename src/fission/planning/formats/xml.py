"""XML as `XML_FILE` uses it, with the attributes of the radio: programs are blocks, and pipes join them.

```xml
<network noise="1e-6">
  <node pi_id="A" x="0" y="0" capacity="10">
    <algorithm executable="./measure"><output pipe_id="1"/></algorithm>
    <algorithm executable="./filter" demand="12.5" free="true"><input pipe_id="1"/></algorithm>
  </node>
</network>
```

A program is fixed on the node around it unless it has `free="true"`.
"""

from typing import Any
from xml.etree.ElementTree import Element, ParseError

from fission.planning.model import EmbeddingError

__all__ = ["document_of_xml"]


def document_of_xml(text: str) -> dict[str, Any]:
    """Return the plain data of a problem in XML. Entities are refused. Raises EmbeddingError."""
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - only for these files
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    try:
        root = fromstring(text, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise EmbeddingError("entities are not allowed") from error
    except (ParseError, ValueError) as error:
        raise EmbeddingError(f"it is not valid XML: {error}") from error
    nodes, blocks = [], []
    sources: dict[str, str] = {}
    targets: dict[str, str] = {}
    for node in root:
        name = _attribute(node, "pi_id", "node")
        nodes.append({"name": name} | _numbers(node, f"node {name}", ("x", "y", "capacity", "power")))
        for program in node:
            block = program.get("name") or _attribute(program, "executable", f"program on node {name}")
            blocks.append({"name": block} | _numbers(program, f"program {block}", ("demand", "rate")))
            if program.get("free") != "true":
                blocks[-1]["node"] = name
            for tag, ends in (("output", sources), ("input", targets)):
                for pipe in program.iterfind(tag):
                    id = _attribute(pipe, "pipe_id", f"{tag} of {block}")
                    if id in ends:
                        raise EmbeddingError(f"two programs have it as {tag}", where=f"pipe {id}")
                    ends[id] = block
    for id in sorted({*sources} ^ {*targets}):
        raise EmbeddingError("it has one end only", where=f"pipe {id}", expected="an output and an input")
    links = dict.fromkeys((sources[id], targets[id]) for id in sources)
    return {
        "radio": _numbers(root, "network", ("noise", "bandwidth", "exponent")),
        "nodes": nodes,
        "blocks": blocks,
        "links": [list(link) for link in links],
    }


def _attribute(element: Element, name: str, where: str) -> str:
    value = element.get(name)
    if not value:
        raise EmbeddingError("it is missing", where=f"{where}, {name}", expected="an attribute")
    return value


def _numbers(element: Element, where: str, names: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        text = element.get(name)
        if text is None:
            continue
        try:
            found[name] = float(text)
        except ValueError:
            raise EmbeddingError(
                "it is wrong", where=f"{where}, {name}", expected="a number", found=repr(text)[:80]
            ) from None
    return found
