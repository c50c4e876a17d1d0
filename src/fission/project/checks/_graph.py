"""Rules about the graph of jobs and pipes; those about single ends are in core/structure.py."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from fission.core.network import Edge, Network
from fission.project.checks._check import Finding, check
from fission.project.settings import describe
from fission.project.suggest import listed


@check("E301", "a loop has no optional pipe")
def _loop(network: Network) -> Iterator[Finding]:
    for circle in network.cycles():
        names = [network.job(id).name for id in circle]
        yield Finding(
            names[0],
            f"{' -> '.join([*names, names[0]])} wait for each other for ever",
            "Make one of the pipes between them optional: OptionalPicklePipe, or OptionalMixIn before its class",
        )


@check("E302", "a pipe does not allow the job that writes to it or reads from it")
def _allowed(network: Network) -> Iterator[Finding]:
    for edge in network.edges:
        for setting, id in (("SOURCE_JOBS", edge.source), ("DESTINATION_JOBS", edge.destination)):
            allowed = getattr(edge.pipe, setting)
            if not isinstance(allowed, list | tuple) or not all(isinstance(kind, type) for kind in allowed):
                yield Finding(
                    str(edge.pipe), f"{setting}: expected a list of job classes, found {describe(allowed)}"
                )
            elif allowed and not isinstance(network.job(id), tuple(allowed)):
                names = listed(kind.__name__ for kind in allowed)
                yield Finding(str(edge.pipe), f"{network.job(id).name} is none of its {setting}: {names}")


@check("W303", "the paths between two jobs ask for blocks at different rates")
def _rates(network: Network) -> Iterator[Finding]:
    """Compute the relative rate of each job, as in a synchronous dataflow (Lee and Messerschmitt, 1987).

    A round writes one block to each output and reads BLOCK_COUNT from each input. Blocks on the path that needs fewer
    wait for the other path, and their number grows with every round.
    """
    edges = [edge for edge in network.edges if _waited_for(edge.pipe)]
    rates: dict[int, Fraction] = {}
    for job in network.jobs:
        if job.id not in rates:
            _spread(job.id, edges, rates)
    reported: set[int] = set()
    for edge in edges:
        source, destination = rates[edge.source], rates[edge.destination]
        if source != destination * edge.pipe.BLOCK_COUNT and edge.destination not in reported:
            reported.add(edge.destination)
            sent = source / destination
            yield Finding(
                network.job(edge.destination).name,
                f"receives {sent} blocks of {edge.pipe} for each round that its other inputs allow, "
                f"and takes {edge.pipe.BLOCK_COUNT}",
                "It stalls when the pipe holds RETAIN bytes. Compare BLOCK_COUNT on all paths to it",
            )


def _waited_for(pipe: Any) -> bool:
    count = pipe.BLOCK_COUNT  # may have any type here: other checks report that
    return not pipe.ASYNC and pipe.DELIVERY == "exact" and isinstance(count, int) and count > 0


def _spread(start: int, edges: list[Edge], rates: dict[int, Fraction]) -> None:
    """Derive rates of the jobs connected to `start`; where paths disagree, the first one counts."""
    rates[start] = Fraction(1)
    reached = [start]
    for here in reached:
        for edge in edges:
            if edge.source == here and edge.destination not in rates:
                rates[edge.destination] = rates[here] / edge.pipe.BLOCK_COUNT
                reached.append(edge.destination)
            elif edge.destination == here and edge.source not in rates:
                rates[edge.source] = rates[here] * edge.pipe.BLOCK_COUNT
                reached.append(edge.source)


GRAPH_CHECKS = (_loop, _allowed, _rates)
