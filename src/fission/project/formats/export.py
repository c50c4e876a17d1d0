"""Exports networks as text: JSON, GraphML, and XML as `fission.project.formats.xml` reads it."""

import json
from collections.abc import Iterable, Iterator
from types import ModuleType
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fission.core.groups import names
from fission.core.jobs import BaseJob, DynamicMARVELOJob, ExecutableJob, MARVELOJob
from fission.core.network import Edge, Network
from fission.core.nodes import BaseNode
from fission.errors import ProjectError
from fission.project.formats.xml import XMLLoader
from fission.project.suggest import listed

__all__ = ["to_graphml", "to_json", "to_xml"]

Plain = dict[str, object]

_KINDS = {"id": "int", "block_count": "int", "head": "boolean", "asynchronous": "boolean"}
_XMLNS = "http://graphml.graphdrawing.org/xmlns"


# -- JSON ----------------------------------------------------------------------------------------------------


def to_json(network: Network) -> str:
    """Return jobs, pipes and nodes as one JSON object."""
    described = {
        "network": network.name,
        "jobs": [_job(job) for job in network.jobs],
        "pipes": [_pipe(edge) for edge in network.edges],
        "nodes": [_node(node) for node in network.nodes],
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _job(job: BaseJob) -> Plain:
    described: Plain = {
        "id": job.id,
        "name": job.name,
        "class": _class(job),
        "groups": list(names(job.GROUPS)),
        "default_node": job.DEFAULT_NODE,
        "head": job.HEAD,
        "inputs": [pipe.id for pipe in job.inputs],
        "outputs": [pipe.id for pipe in job.outputs],
    }
    if isinstance(job, ExecutableJob):
        described |= {
            "executable": job.EXECUTABLE,
            "parameters": _parameters(job),
            "dependencies": _dependencies(job),
        }
    return described


def _pipe(edge: Edge) -> Plain:
    pipe = edge.pipe
    return {
        "id": pipe.id,
        "class": _class(pipe),
        "source": edge.source,
        "destination": edge.destination,
        "block_size": pipe.BLOCK_SIZE,
        "block_count": pipe.BLOCK_COUNT,
        "asynchronous": bool(pipe.ASYNC),
        "delivery": pipe.DELIVERY,
    }


def _node(node: BaseNode) -> Plain:
    return {
        "address": node.ip,
        "name": node.name,
        "class": _class(node),
        "groups": list(node.groups),
        "max_jobs": node.max_jobs,
    }


def _class(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _parameters(job: ExecutableJob) -> str | list[str]:
    return job.PARAMETERS if isinstance(job.PARAMETERS, str) else [str(word) for word in job.PARAMETERS]


def _dependencies(job: BaseJob) -> list[str]:
    value = job.DEPENDENCIES
    entries = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [one.__name__ if isinstance(one, ModuleType) else str(one) for one in entries]


# -- GraphML -------------------------------------------------------------------------------------------------


def to_graphml(network: Network) -> str:
    """Return the graph of jobs and pipes as GraphML, which networkx, yEd and Gephi read."""
    root = Element("graphml", xmlns=_XMLNS)
    jobs = [_flat(_job(job)) for job in network.jobs]
    pipes = [_flat(_pipe(edge)) for edge in network.edges]
    for domain, things in (("node", jobs), ("edge", pipes)):
        for key in dict.fromkeys(key for thing in things for key in thing):
            kind = _KINDS.get(key, "string")
            attributes = {"id": f"{domain}.{key}", "for": domain, "attr.name": key, "attr.type": kind}
            SubElement(root, "key", attributes)
    graph = SubElement(root, "graph", id=network.name, edgedefault="directed")
    for job in jobs:
        _data(SubElement(graph, "node", id=job["id"]), "node", job)
    for pipe in pipes:
        ends = {"source": pipe["source"], "target": pipe["destination"]}
        _data(SubElement(graph, "edge", {"id": f"pipe {pipe['id']}", **ends}), "edge", pipe)
    return _document(root)


def _flat(described: Plain) -> dict[str, str]:
    """All values as text: lists joined by spaces, what is None left out."""
    return {key: _text(value) for key, value in described.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data(element: Element, domain: str, values: dict[str, str]) -> None:
    for key, value in values.items():
        SubElement(element, "data", key=f"{domain}.{key}").text = value


# -- XML -----------------------------------------------------------------------------------------------------


def to_xml(network: Network) -> str:
    """Return the network as XML that `XMLLoader()` reads.

    XML represents only networks of MARVELO jobs on fixed nodes. Raises ProjectError, which names all other jobs and pipes.
    """
    wrong = [f"{job.name} {reason}" for job in network.jobs if (reason := _not_in_xml(job))]
    wrong += [
        f"pipe {edge.pipe.id} has blocks of variable length"
        for edge in network.edges
        if isinstance(edge.pipe.BLOCK_SIZE, str)
    ]
    if wrong:
        raise ProjectError(
            f"the network cannot be written as XML: {listed(wrong)}",
            where=f"network {network.name}",
            hint=f"JSON can: fission export {network.name} --format json",
        )
    words = XMLLoader()
    root = Element("network")
    addresses = [node.ip for node in network.nodes] + [job.DEFAULT_NODE or "" for job in network.jobs]
    for address in dict.fromkeys(addresses):
        node = SubElement(root, "node", {words.ip: address})
        for job in network.jobs:
            if isinstance(job, ExecutableJob) and address == job.DEFAULT_NODE:
                _program(node, job, words)
    return _document(root)


def _not_in_xml(job: BaseJob) -> str:
    """Describe what XML cannot represent of a job; "" for nothing."""
    if not isinstance(job, MARVELOJob):
        return "is not a MARVELO job"
    if job.DEFAULT_NODE is None:
        return "has no DEFAULT_NODE"
    if job.HEAD:
        return "has heads"
    if (job.INPUT_FLAG, job.OUTPUT_FLAG) != (DynamicMARVELOJob.INPUT_FLAG, DynamicMARVELOJob.OUTPUT_FLAG):
        return "has other flags"
    if len(_dependencies(job)) > 1 or isinstance(job.DEPENDENCIES, ModuleType):
        return "depends on more than a folder"
    return ""


def _program(node: Element, job: ExecutableJob, words: XMLLoader) -> None:
    program = SubElement(node, "algorithm", {words.executable: job.EXECUTABLE})
    for path in _dependencies(job):  # at most one
        program.set(words.dependencies, path)
    for text in _quoted(_parameters(job)):
        SubElement(program, words.parameter_tag, {words.parameter: text})
    for tag, pipes in ((words.input, job.inputs), (words.output, job.outputs)):
        for pipe in pipes:
            attributes = {
                words.pipe_id: pipe.id,
                words.block_size: pipe.BLOCK_SIZE,
                words.block_count: pipe.BLOCK_COUNT,
            }
            SubElement(program, tag, {name: str(value) for name, value in attributes.items()})


def _quoted(parameters: str | Iterable[str]) -> Iterator[str]:
    from shlex import quote  # noqa: PLC0415 - rarely needed

    if isinstance(parameters, str):
        if parameters.strip():
            yield parameters
    else:
        yield from map(quote, parameters)


def _document(root: Element) -> str:
    indent(root)
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
