"""Loads a network from its folder: returns the network as a value, and all problems of its config.py."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from fission.core import registry
from fission.core.jobs import BaseJob
from fission.core.network import Network, Problem, Settings
from fission.core.nodes import BaseNode
from fission.errors import ConfigError, FissionError, ProjectError
from fission.project.config import ConfigFile, assigned_names, read_config
from fission.project.formats.xml import XMLLoader
from fission.project.loaded import LoadedNetwork
from fission.project.names import SHARED
from fission.project.nodes import NodeReader
from fission.project.settings import NAMES, Mistake, describe, read_settings
from fission.project.suggest import did_you_mean, listed

UNKNOWN_SETTING = "E002"
WRONG_SETTING = "E003"
NO_JOBS = "E004"
WRONG_NODES = "E005"
WRONG_XML = "E007"
FORGOTTEN_JOB = "W006"


def load_network(root: Path, name: str) -> tuple[Network, tuple[Problem, ...]]:
    """Load the network in `root/name`; return it with all problems of its settings and its structure.

    An invalid setting keeps its default and is reported. The registries of `core.base` and the modules of user code are
    cleared first, so that one process can load a network again, or another one.

    Raises ProjectError when there is no such network, ConfigError when its config.py cannot be imported.
    Check the problems, and those of `checks.check`, before you start the network.
    """
    root = root.resolve()
    folder = find_network(root, name)
    registry.reset()
    return _network(read_config(root, folder.name), root, folder)


def network_of_config(module: ModuleType, name: str) -> tuple[Network, tuple[Problem, ...]]:
    """Return the network `name` of a config module that is imported already, and its problems, as `load_network`.

    Raises ProjectError when the module is not the config.py of that network.
    """
    file = Path(getattr(module, "__file__", None) or "").resolve()
    if file.name != "config.py" or file.parent.name != name:
        raise ProjectError(
            "the module is not the configuration of this network",
            where=f"network {name!r}",
            expected=f"{name}/config.py",
            found=str(file) if file.is_file() else module.__name__,
        )
    config = ConfigFile(f"{name}/config.py", vars(module), assigned_names(module))
    return _network(config, file.parents[1], file.parent)


def _network(config: ConfigFile, root: Path, folder: Path) -> tuple[Network, tuple[Problem, ...]]:
    settings, mistakes = read_settings(config.values)
    jobs = config.values.get("JOBS")
    reader = NodeReader(root, folder)
    reader.read(config.values.get("NODES"))
    problems = [
        *_unknown(config),
        *(_problem(config, WRONG_SETTING, mistake) for mistake in mistakes),
        *(_wrong_jobs(config, jobs) if jobs or not settings.xml_file else ()),
        *(_problem(config, WRONG_NODES, mistake) for mistake in reader.mistakes),
        *_forgotten(config, jobs),
    ]
    entries = list(jobs) if isinstance(jobs, list | tuple) else []
    nodes = reader.nodes
    if settings.xml_file:
        try:
            nodes, entries = with_xml(settings, (folder, root), nodes, entries)
        except FissionError as error:
            problems.append(Problem(WRONG_XML, "error", config.where("XML_FILE"), str(error)))
    network, structural = LoadedNetwork.build(folder.name, entries, nodes, settings, str(folder))
    placed = (replace(problem, where=_place(config, problem.where)) for problem in structural)
    return network, (*problems, *placed)


def with_xml(
    settings: Settings, places: tuple[Path, Path], nodes: list[BaseNode], jobs: list[object]
) -> tuple[list[BaseNode], list[object]]:
    """Return the nodes and jobs of config.py, then those of its XML_FILE, which lies in one of the `places`.

    Raises ConfigError and PipeError.
    """
    name = settings.xml_file or ""
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        where = " or ".join(dict.fromkeys(str(place / name) for place in places))
        raise ConfigError(f"there is no file {where}")
    known = {
        pipe.id: pipe for job in jobs if isinstance(job, BaseJob) for pipe in (*job.inputs, *job.outputs)
    }
    more_nodes, more_jobs = XMLLoader(**settings.xml_args).load(path, known)
    new = [node for node in more_nodes if not any(one.matches(node.ip) for one in nodes)]
    return [*nodes, *new], [*jobs, *more_jobs]


def _place(config: ConfigFile, where: str) -> str:
    """Return the place of a structural problem; "JOBS[2]" gets the file and the line."""
    return config.where(where) if where.startswith("JOBS[") else where


def find_network(root: Path, name: str) -> Path:
    """Return the folder of a network. Raises ProjectError with a suggestion."""
    folder = root / name.rstrip("/")  # shells complete the names of folders with a slash
    if folder.parent == root and (folder / "config.py").is_file():
        return folder
    where = f"network {name!r}"
    if name == SHARED:
        raise ProjectError("it holds what networks share and cannot run", where=where)
    if name.isidentifier() and folder.is_dir():
        raise ProjectError("there is no config.py in this folder", where=where, found=str(folder))
    known = networks_of(root)
    start = f"Create it first: fission new network {name}"
    hint = did_you_mean(name, known) or (f"There are {listed(known)}" if len(known) > 1 else start)
    raise ProjectError("there is no such network", where=where, expected=f"a folder in {root}", hint=hint)


def networks_of(root: Path) -> list[str]:
    """Return the names of the networks of a project, `shared` not among them."""
    return sorted(entry.parent.name for entry in root.glob("*/config.py") if entry.parent.name != SHARED)


def _unknown(config: ConfigFile) -> Iterator[Problem]:
    for name in config.unknown_settings():
        own = f"Names of your own: {name.lower()} or _{name}"
        hint = did_you_mean(name, NAMES) or own
        yield Problem(UNKNOWN_SETTING, "error", config.where(name), "there is no such setting", hint)


def _problem(config: ConfigFile, number: str, mistake: Mistake) -> Problem:
    message = f"expected {mistake.expected}, found {mistake.found}"
    return Problem(number, "error", config.where(mistake.name), message, mistake.hint)


def _wrong_jobs(config: ConfigFile, jobs: object) -> Iterator[Problem]:
    if isinstance(jobs, list | tuple) and jobs:
        return
    if isinstance(jobs, list | tuple):
        message, hint = (
            "there are no jobs",
            "Put jobs into JOBS: JOBS = [MyJob(outputs=[PicklePipe(101)]), ...]",
        )
    elif "JOBS" not in config.values:
        message, hint = "there is no JOBS", "Write JOBS = [...] with the jobs of the network"
    else:
        message = f"expected a list of jobs, found {describe(jobs)}"
        hint = "Put it in a list: JOBS = [...]" if isinstance(jobs, BaseJob) else ""
    yield Problem(NO_JOBS, "error", config.where("JOBS"), message, hint)


def _forgotten(config: ConfigFile, jobs: object) -> Iterator[Problem]:
    """Yield a warning for each job that was created and is not in JOBS."""
    listed_jobs = {id(job) for job in jobs} if isinstance(jobs, list | tuple) else set()
    for job in registry.JOBS.values():
        if listed_jobs and id(job) not in listed_jobs:
            yield Problem(
                FORGOTTEN_JOB,
                "warning",
                config.where("JOBS"),
                f"a {type(job).__name__} was created that is not in JOBS",
                "It is not part of the network",
            )
