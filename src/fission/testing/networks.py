"""Finds the network of a test: the one whose folder contains the test."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from fission.core.jobs import ExecutableJob, PythonJob
from fission.core.network import Network, Settings
from fission.emulate.folder import find_project
from fission.errors import ConfigError, UserError
from fission.project.load import with_xml
from fission.project.modules import import_config
from fission.project.settings import read_settings

__all__ = ["folder_of", "job_at", "load_config", "network_around", "network_of", "project_of"]


def project_of(place: Path) -> Path | None:
    """Return the project that contains a file or folder."""
    return find_project(place.resolve())


def folder_of(test: Path) -> Path | None:
    """Return the folder of the network that contains a test."""
    test = test.resolve()
    root = find_project(test)
    if root is None or test == root:
        return None
    folder = root / test.relative_to(root).parts[0]
    return folder if (folder / "config.py").is_file() else None


def load_config(test: Path) -> ModuleType:
    """Run the config.py of the network of a test, and return the module.

    Modules that it imports are not run again, so that their classes are the same as in the test. Raises UserError
    when the test is outside of a network; exceptions of config.py are passed on.
    """
    folder = folder_of(test)
    if folder is None:
        raise UserError(
            "this test belongs to no network",
            where=str(test),
            expected="a file below the folder of a network, as in NETWORK/tests",
        )
    name = f"{folder.name}.config"
    if str(folder.parent) not in sys.path:
        sys.path.insert(0, str(folder.parent))
    known = sys.modules.get(name)
    package = sys.modules.get(folder.name)
    if known is not None and _is_at(known, folder / "config.py"):
        return importlib.reload(known)
    if package is None or folder in map(Path, getattr(package, "__path__", ())):
        return importlib.import_module(name)
    return import_config(folder.parent, folder.name)  # another project has modules of these names


def network_of(config: ModuleType) -> Network:
    """Return the network of a config module, in spite of its problems."""
    folder = Path(config.__file__ or "").resolve().parent
    settings, _ = read_settings(vars(config))
    jobs = getattr(config, "JOBS", [] if settings.xml_file else None)
    if not isinstance(jobs, list | tuple):
        raise ConfigError("there are no JOBS", where=str(folder / "config.py"), expected="a list of jobs")
    if settings.xml_file:
        _, jobs = with_xml(settings, (folder, folder.parent), [], [*jobs])
    network, _ = Network.build(folder.name, jobs, (), settings, str(folder))
    return network


def network_around(test: Path) -> Network | None:
    """Return a network without jobs and settings, in the folder of the network of a test."""
    folder = folder_of(test)
    return None if folder is None else Network(folder.name, (), (), Settings(), str(folder), edges=())


def job_at(network: Network, index: int) -> PythonJob | ExecutableJob:
    """Return JOBS[index]. Raises UserError when there is none, or it is neither a Python job nor a program."""
    try:
        job = network.jobs[index]
    except IndexError:
        raise UserError(
            "no such job",
            where=f"network {network.name}",
            expected=f"an index below {len(network.jobs)}",
            found=str(index),
        ) from None
    if not isinstance(job, PythonJob | ExecutableJob):
        raise UserError("cannot be emulated", where=f"job {job.name}", expected="a Python job or a program")
    return job


def _is_at(module: ModuleType, file: Path) -> bool:
    return Path(getattr(module, "__file__", None) or "").resolve() == file
