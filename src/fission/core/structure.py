"""Finds the valid jobs, nodes and pipes of a configuration, and the problems of the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from fission.core.jobs.base import BaseJob
from fission.core.nodes import BaseNode
from fission.core.pipes.base import BasePipe

__all__ = ["Edge", "Problem", "join", "sound_jobs", "sound_nodes"]


@dataclass(frozen=True)
class Problem:
    """A problem of a network. `id` is stable; an error prevents a start."""

    id: str
    level: Literal["error", "warning"]
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.id} {self.where}: {self.message}" + (f". {self.hint}" if self.hint else "")


@dataclass(frozen=True)
class Edge:
    """A pipe with the ids of the jobs at its ends."""

    pipe: BasePipe
    source: int
    destination: int


def sound_jobs(given: Iterable[object]) -> tuple[tuple[BaseJob, ...], list[Problem]]:
    """Return the valid jobs, each once, and a problem for every other entry of JOBS."""
    jobs: list[BaseJob] = []
    problems: list[Problem] = []
    for index, item in enumerate(given):
        where = f"JOBS[{index}]"
        if not isinstance(item, BaseJob):
            problems.append(_no_job(where, item))
        elif not {"id", "inputs", "outputs"} <= vars(item).keys():
            problems.append(
                Problem(
                    "E102",
                    "error",
                    where,
                    f"{type(item).__name__}.__init__ does not call super().__init__",
                    "Call super().__init__(inputs=inputs, outputs=outputs) in it",
                )
            )
        elif replaced := _replaced(item):
            problems.append(Problem("E104", "error", where, f"{type(item).__name__}: {replaced}"))
        elif any(item is job for job in jobs):
            problems.append(
                Problem(
                    "E103",
                    "error",
                    where,
                    f"{item.name} is listed more than once",
                    "Call the class twice to get two jobs",
                )
            )
        else:
            jobs.append(item)
    return tuple(jobs), problems


def sound_nodes(given: Iterable[object]) -> tuple[tuple[BaseNode, ...], list[Problem]]:
    """Return the valid nodes, and a problem for every other entry of NODES."""
    nodes: dict[str, BaseNode] = {}
    problems: list[Problem] = []
    for index, item in enumerate(given):
        where = f"NODES[{index}]"
        if not isinstance(item, BaseNode):
            hint = f'Write BaseNode("{item}")' if isinstance(item, str) else ""
            problems.append(Problem("E121", "error", where, f"{item!r} is not a node", hint))
        elif "ip" not in vars(item):
            problems.append(
                Problem(
                    "E122",
                    "error",
                    where,
                    f"{type(item).__name__}.__init__ does not call super().__init__(host)",
                )
            )
        elif item.ip in nodes:
            problems.append(
                Problem("E123", "error", where, f"the address {item.ip} is listed more than once")
            )
        else:
            nodes[item.ip] = item
    return tuple(nodes.values()), problems


def join(jobs: Iterable[BaseJob]) -> tuple[tuple[Edge, ...], list[Problem]]:
    """Return an edge for every pipe with one source and one destination, and the problems of the others."""
    pipes: dict[int, list[BasePipe]] = {}
    sources: dict[int, list[BaseJob]] = {}
    destinations: dict[int, list[BaseJob]] = {}
    for job in jobs:
        for side, ends in ((job.outputs, sources), (job.inputs, destinations)):
            for pipe in side:
                pipes.setdefault(pipe.id, []).append(pipe)
                ends.setdefault(pipe.id, []).append(job)
    edges: list[Edge] = []
    problems: list[Problem] = []
    for id in sorted(pipes):
        before, after = sources.get(id, []), destinations.get(id, [])
        problems += _problems_of(pipes[id], before, after)
        if len(before) == len(after) == 1:
            edges.append(Edge(pipes[id][0], before[0].id, after[0].id))
    problems += [
        Problem(
            "W101",
            "warning",
            job.name,
            "has no pipes",
            "An __init__ of its class has to pass inputs and outputs to super().__init__",
        )
        for job in jobs
        if not job.inputs and not job.outputs
    ]
    return tuple(edges), problems


def _replaced(job: Any) -> str:
    """Describe an attribute that was replaced by a wrong value after the job was created; "" for none."""
    if not isinstance(job.name, str):
        return f"its name is {job.name!r}, which is not a string"
    for side in ("inputs", "outputs"):
        pipes = getattr(job, side)
        if not isinstance(pipes, list | tuple):
            return f"its {side} were replaced by {pipes!r}, which is not a list of pipes"
        for pipe in pipes:
            if not isinstance(pipe, BasePipe):
                return f"{pipe!r} is in its {side} and is not a pipe"
            if type(pipe.id) is not int:
                return f"the id of a pipe in its {side} was replaced by {pipe.id!r}"
    return ""


def _no_job(where: str, item: object) -> Problem:
    hint = ""
    if isinstance(item, type) and issubclass(item, BaseJob):
        hint = f"That is the class: call it, as {item.__name__}(...)"
    elif isinstance(item, BasePipe):
        hint = "Pipes belong in the inputs and outputs of jobs"
    elif isinstance(item, list | tuple):
        hint = "Unpack a list inside JOBS with a star: *jobs"
    return Problem("E101", "error", where, f"{item!r} is not a job", hint)


def _problems_of(pipes: list[BasePipe], sources: list[BaseJob], destinations: list[BaseJob]) -> list[Problem]:
    """Return the problems of one pipe; `pipes` are the objects at its ends."""
    where = str(pipes[0])
    problems: list[Problem] = []

    def add(id: str, message: str, hint: str = "") -> None:
        problems.append(Problem(id, "error", where, message, hint))

    if not sources:
        add(
            "E111",
            f"has no source: {_listed(destinations)} would wait for ever",
            "Is it in the outputs of a job?",
        )
    elif len(sources) > 1:
        add("E112", f"has more than one source: {_listed(sources)}", _ANOTHER_ID)
    if not destinations:
        add(
            "E113",
            f"has no destination: the blocks of {_listed(sources)} are never read",
            "Is it in the inputs of a job?",
        )
    elif len(destinations) > 1:
        add("E114", f"has more than one destination: {_listed(destinations)}", _ANOTHER_ID)
    for job in dict.fromkeys(sources):
        if job in destinations:
            add("E115", f"joins {job.name} to itself", "A job can keep what it needs in its attributes")
    kinds = list(dict.fromkeys(type(pipe).__name__ for pipe in pipes))
    if len(kinds) > 1:
        add("E116", f"is of another class at its other end: {', '.join(kinds)}", _ANOTHER_ID)
    return problems


_ANOTHER_ID = "Two pipes need two ids"


def _listed(jobs: list[BaseJob]) -> str:
    return ", ".join(job.name for job in jobs)
