"""Rules about how jobs and pipes are joined; those about single ends are in core/structure.py."""

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
    """Compute how often each job works, as in a synchronous dataflow (Lee and Messerschmitt, 1987).

    A round writes one block to each output and takes BLOCK_COUNT from each input. What was sent on the path that wants
    fewer blocks waits for the other one, and there is more of it with every round.
    """
    edges = [edge for edge in network.edges if _waited_for(edge.pipe)]
    rates: dict[int, Fraction] = {}
    for job in network.jobs:
        if job.id not in rates:
            _spread(job.id, edges, rates)
    told: set[int] = set()
    for edge in edges:
        source, destination = rates[edge.source], rates[edge.destination]
        if source != destination * edge.pipe.BLOCK_COUNT and edge.destination not in told:
            told.add(edge.destination)
            sent = source / destination
            yield Finding(
                network.job(edge.destination).name,
                f"gets {sent} blocks of {edge.pipe} for each round that its other inputs allow, "
                f"and takes {edge.pipe.BLOCK_COUNT}",
                "It stands still when the pipe keeps RETAIN bytes, or waits for ever. Compare BLOCK_COUNT on all "
                "paths to it",
            )


def _waited_for(pipe: Any) -> bool:
    count = pipe.BLOCK_COUNT  # may be anything here: other checks say so
    return not pipe.ASYNC and pipe.DELIVERY == "exact" and isinstance(count, int) and count > 0


def _spread(start: int, edges: list[Edge], rates: dict[int, Fraction]) -> None:
    """Give the jobs around `start` their rates, by way of the pipes; where paths disagree, the first counts."""
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
