"""Rules about how jobs and pipes are joined; those about single ends are in core/structure.py."""

from collections.abc import Iterator

from fission.core.network import Network
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


GRAPH_CHECKS = (_loop, _allowed)
