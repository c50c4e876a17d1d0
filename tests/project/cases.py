"""Bad networks: for every rule those that break it, with where that is told and what is said."""

from collections.abc import Callable, Iterable
from typing import Any

from fission.core.jobs import BaseJob, CSVSinkJob, PythonJob, SourceJob
from fission.core.network import Network, Problem
from fission.core.pipes import BasePipe, PicklePipe
from fission.project.checks import check


class Sink(PythonJob):
    def run(self, value: object) -> None:
        """Take one value."""


class Join(PythonJob):
    def run(self, *values: object) -> object:
        return values


def with_attributes(kind: type, **attributes: object) -> Any:
    """A class with other attributes, that can be pickled as the one it was made from."""
    made = type(kind.__name__, (kind,), attributes)
    made.__reduce__ = lambda self: (str, ())
    return made


def chain(pipe: BasePipe, source: BaseJob | None = None, sink: BaseJob | None = None) -> list[BaseJob]:
    """Two jobs joined by a pipe."""
    source, sink = source or SourceJob(), sink or Sink()
    source.outputs.append(pipe)
    sink.inputs.append(pipe)
    return [source, sink]


def problems(jobs: Iterable[object], nodes: Iterable[object] = (), folder: str = "") -> list[Problem]:
    network, structural = Network.build("demo", jobs, nodes, folder=folder)
    assert not structural
    return list(check(network))


class Restricted(PicklePipe):
    SOURCE_JOBS = (SourceJob,)
    DESTINATION_JOBS = (Sink, CSVSinkJob)


def grouped(*groups: object, node: object = None) -> list[BaseJob]:
    value = groups[0] if len(groups) == 1 else list(groups)
    return chain(PicklePipe(1), sink=with_attributes(Sink, GROUPS=value, DEFAULT_NODE=node)())


CASES: dict[str, list[Callable[[], tuple[list[Problem], str, str]]]] = {}
Case = Callable[[], tuple[list[Problem], str, str]]


def case(rule: str) -> Callable[[Case], Case]:
    def add(build: Case) -> Case:
        CASES.setdefault(rule, []).append(build)
        return build

    return add
