"""Networks for a handle: from jobs, a value, a folder or a file; checked, and with the pipes that the program reads."""

import copy
import logging
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fission.api.block_sender import BlockSender
from fission.api.streams import BlockStream
from fission.core import registry
from fission.core.jobs import BaseJob, CSVSinkJob, DistributingJob, FileSinkJob, LoggingSinkJob
from fission.core.network import Network, Problem
from fission.core.pipes import BasePipe
from fission.errors import ConfigError, NetworkError, ProjectError
from fission.project.checks import check
from fission.project.description import from_json
from fission.project.formats.xml import XMLLoader
from fission.project.load import load_network
from fission.project.loaded import LoadedNetwork
from fission.project.suggest import counted

__all__ = [
    "Source",
    "as_network",
    "free_outputs",
    "load",
    "modules_beside",
    "readers_of",
    "require_valid",
    "with_streams",
]

Source = Network | Iterable[BaseJob] | str | os.PathLike[str]
"""What `simulate` and `run` take: a network, its jobs, or the path of a project's network, an XML or a JSON file."""

_NO_DESTINATION = "E113"
_LARGEST_ID = 0xFFFFFFFF
_log = logging.getLogger("fission")


def load(path: str | os.PathLike[str]) -> Network:
    """Return the network in a folder with a config.py, or in a file (.xml, .json), with its `problems`.

    Raises ProjectError when there is none, and ConfigError when it cannot be read.
    """
    place = Path(path).absolute()
    if place.suffix == ".xml":
        nodes, jobs = XMLLoader().load(place)
        return LoadedNetwork(place.stem, jobs, nodes)  # type: ignore[arg-type] # any iterable is checked
    if place.suffix == ".json":
        return from_json(place)
    if place.is_file() and place.name != "config.py":
        raise ConfigError(
            "this is no network", where=str(place), expected="a folder with a config.py, or .xml or .json"
        )
    folder = place.parent if place.name == "config.py" else place
    network, problems = load_network(folder.parent, folder.name)
    return replace(network, problems=problems)


def as_network(source: Source) -> Network:
    """Return the network that `source` describes. Raises FissionError.

    The pipes of jobs that were made by the program leave the registry of ids: a cell that is run again may make them anew.
    """
    if isinstance(source, str | os.PathLike):
        return load(source)
    network = source if isinstance(source, Network) else LoadedNetwork("network", source)  # type: ignore[arg-type]
    registry.PIPES.clear()
    return network


def require_valid(network: Network) -> None:
    """Log the warnings of a network. Raises NetworkError with all its errors, as `problems` and as notes."""
    if not network.jobs and not network.problems:
        raise NetworkError(
            "there are no jobs",
            where=f"network {network.name}",
            hint="Give a list: simulate([MyJob(...), ...])",
        )
    problems = (*network.problems, *check(network))
    errors = [one for one in problems if one.level == "error" and not _reads_nobody(one, network)]
    for problem in problems:
        if problem.level != "error":
            _log.warning("%s", problem)
    if errors:
        error = NetworkError(
            f"the network cannot run: {counted(len(errors), 'error')}",
            where=f"network {network.name}",
            problems=errors,
        )
        for problem in errors:
            error.add_note(
                f"{problem.id} {problem.where}: {problem.message}"
                + (f". {problem.hint}" if problem.hint else "")
            )
        raise error


def _reads_nobody(problem: Problem, network: Network) -> bool:
    free = {str(pipe) for pipe in free_outputs(network)}
    return problem.id == _NO_DESTINATION and problem.where in free


def free_outputs(network: Network) -> list[BasePipe]:
    """Return the pipes that one job writes and none reads: the handle does."""
    read = {pipe.id for job in network.jobs for pipe in job.inputs}
    written: dict[int, list[BasePipe]] = {}
    for job in network.jobs:
        for pipe in job.outputs:
            written.setdefault(pipe.id, []).append(pipe)
    return [ends[0] for id, ends in written.items() if id not in read and len(ends) == 1]


def with_streams(network: Network, streams: Sequence[BlockStream], folder: Path) -> Network:
    """Return the network with a job that sends the blocks to each stream, whose socket is in `folder`.

    A pipe that a job reads gets a copying job before its destination. The network and its jobs stay as they are.
    """
    jobs: list[BaseJob] = list(network.jobs)
    used = {pipe.id for job in jobs for pipe in (*job.inputs, *job.outputs)}
    free = {pipe.id: pipe for pipe in free_outputs(network)}
    for stream in streams:
        pipe = free.get(stream.pipe)
        if pipe is None:
            pipe = _copied(network, jobs, stream.pipe, used)
        address = os.fspath(folder / str(stream.pipe))
        name = f"reader of pipe {stream.pipe}"
        jobs.append(BlockSender(pipe, stream.pipe, address, stream.buffer, latest=stream.latest, name=name))
    return replace(network, jobs=jobs, edges=None, problems=())  # type: ignore[arg-type] # it joins them again


def readers_of(network: Network) -> dict[int, int]:
    """Return the id of the job that sends the blocks to the stream of a pipe, by the id of that pipe."""
    return {job.pipe: job.id for job in network.jobs if isinstance(job, BlockSender)}


def _copied(network: Network, jobs: list[BaseJob], id: int, used: set[int]) -> BasePipe:
    """Let a new job copy the blocks of a pipe between its ends; return the pipe with the copies."""
    edge = network.edge(id)
    before, second = (_like(edge.pipe, _free_id(used)) for _ in range(2))
    source = copy.copy(jobs[edge.source - 1])
    source.outputs = [before if pipe.id == id else pipe for pipe in source.outputs]
    jobs[edge.source - 1] = source
    copier = DistributingJob([before], [edge.pipe, second], name=f"copies of pipe {id}")
    copier.STATE = "none"
    jobs.append(copier)
    return second


def _like(pipe: BasePipe, id: int) -> BasePipe:
    """Return a pipe that carries the same blocks, one per round, between any jobs."""
    made = copy.copy(pipe)
    made.id = id
    made.BLOCK_COUNT, made.ASYNC = 1, False
    made.SOURCE_JOBS, made.DESTINATION_JOBS = (), ()
    return made


def _free_id(used: set[int]) -> int:
    largest = max(used)
    id = largest + 1 if largest < _LARGEST_ID else next(n for n in range(1, _LARGEST_ID) if n not in used)
    used.add(id)
    return id


# -- a network without a folder ------------------------------------------------------------------------------


def with_folder(network: Network, folder: Path) -> Network:
    """Give a network that was made by the program a folder; sinks write relative to the working directory."""
    here = Path.cwd()
    jobs = []
    for job in network.jobs:
        changed = job
        if isinstance(job, CSVSinkJob | FileSinkJob | LoggingSinkJob):
            changed = copy.copy(job)
            changed.path = os.fspath(here / job.path)
        jobs.append(changed)
    settings = replace(network.settings, certs=os.fspath(here / network.settings.certs))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(
            f"the network's folder cannot be made: {error.strerror}", where=str(error.filename or folder)
        ) from error
    return replace(network, jobs=tuple(jobs), settings=settings, folder=os.fspath(folder))


def user_paths() -> tuple[str, ...]:
    """Return the folders on `sys.path` that are not part of Python or of its environment."""
    system = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(
        os.path.abspath(path)
        for path in sys.path
        if os.path.isdir(path or ".") and path not in system and "-packages" not in path
    )


def modules_beside(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules and packages of the user that this program has imported, as their name in `folder` and their place."""
    roots = [Path(path) for path in user_paths()]
    found: dict[str, Path] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or name == "__main__" or not file or "-packages" in file:
            continue
        place = Path(file).absolute()
        top = place.parent if place.name == "__init__.py" else place
        if top.parent in roots and name != "fission":
            found[name] = top
    for top in found.values():
        yield os.fspath(folder / top.name), top
