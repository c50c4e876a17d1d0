"""Rules about jobs that are programs: whether there is such a program, and whether it can be started."""

import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from fission.core.jobs import ExecutableJob
from fission.core.network import Network
from fission.project.checks._check import Finding, check
from fission.project.job_files.dependencies import find_dependencies
from fission.project.job_files.programs import (
    find_program,
    foreign_machine,
    parameters,
    why_not_executable,
    words,
)
from fission.project.settings import describe
from fission.project.suggest import did_you_mean


def _programs(network: Network) -> Iterator[tuple[ExecutableJob, str, list[Path]]]:
    """Yield jobs with their command and the folders of its file; jobs that violate E221 are left out."""
    for job in network.jobs:
        if isinstance(job, ExecutableJob):
            folders = _folders(network, job)
            command = _command(job, folders)
            if command:
                yield job, command, folders


def _folders(network: Network, job: ExecutableJob) -> list[Path]:
    """Return where the files of the job's future folder are now."""
    found = find_dependencies(network, job)
    return [*found.folders, *dict.fromkeys(file.parent for file in found.files)]


def _command(job: ExecutableJob, folders: list[Path]) -> str:
    executable: object = job.EXECUTABLE
    if not isinstance(executable, str) or "\0" in executable:
        return ""
    try:
        return next(iter(words(executable, folders)), "")
    except ValueError:
        return ""


@check("E221", "EXECUTABLE of a job is not a command")
def _no_command(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        if isinstance(job, ExecutableJob) and not _command(job, _folders(network, job)):
            yield Finding(
                job.name,
                f"EXECUTABLE: expected a command, found {describe(job.EXECUTABLE)}",
                "Name a file of the folder in DEPENDENCIES, or an installed program",
            )


@check("E222", "EXECUTABLE of a job does not exist")
def _missing(network: Network) -> Iterator[Finding]:
    for job, command, folders in _programs(network):
        if find_program(command, folders) is None and (folders or "/" in command):
            names = [path.name for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
            near = did_you_mean(command, names)
            hint = near or "A path is relative to the folder in DEPENDENCIES; compile the program first"
            yield Finding(job.name, f"EXECUTABLE: there is no program {command!r}", hint)


@check("W222", "EXECUTABLE of a job is not installed on this machine")
def _not_here(network: Network) -> Iterator[Finding]:
    for job, command, folders in _programs(network):
        if find_program(command, folders) is None and not folders and "/" not in command:
            yield Finding(
                job.name,
                f"EXECUTABLE: {command!r} is not installed on this machine",
                "It must be installed on the node; for a program of your own, set DEPENDENCIES to its folder",
            )


@check("E223", "EXECUTABLE of a job cannot be executed")
def _not_executable(network: Network) -> Iterator[Finding]:
    for job, command, folders in _programs(network):
        path = find_program(command, folders)
        reason = "" if path is None else why_not_executable(path)
        if path is not None and reason:
            hint = f"chmod +x {path.name}" if "permission" in reason else ""
            if path.suffix == ".py":
                hint = f'Set EXECUTABLE = "python3" and PARAMETERS = "{path.name}"'
            yield Finding(job.name, f"EXECUTABLE: {command} cannot be executed: {reason}", hint)


@check("W223", "EXECUTABLE of a job was built for another kind of machine")
def _foreign(network: Network) -> Iterator[Finding]:
    for job, command, folders in _programs(network):
        path = find_program(command, folders)
        machine = "" if path is None else foreign_machine(path)
        if machine:
            yield Finding(
                job.name,
                f"EXECUTABLE: {command} was built for {machine}, and this machine is {platform.machine()}",
                "It cannot be simulated here; check that the nodes are of that kind",
            )


@check("E224", "a setting of a job that is a program has a wrong type or value")
def _settings(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        if isinstance(job, ExecutableJob):
            for name, expected, fits in _SETTINGS:
                value = getattr(job, name)
                if not fits(value):
                    yield Finding(job.name, f"{name}: expected {expected}, found {describe(value)}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _are_parameters(value: object) -> bool:
    if not isinstance(value, str | list | tuple):
        return False
    try:
        return not any("\0" in one for one in parameters(value))
    except ValueError:
        return False


def _is_timeout(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0)


_SETTINGS: tuple[tuple[str, str, Callable[[object], bool]], ...] = (
    ("PARAMETERS", "a string with balanced quotes, or a list", _are_parameters),
    ("INPUT_FLAG", "a text", _is_text),
    ("OUTPUT_FLAG", "a text", _is_text),
    ("START_TIMEOUT", "seconds, more than 0, or None", _is_timeout),
    ("END_TIMEOUT", "seconds, more than 0, or None", _is_timeout),
)

PROGRAM_CHECKS = (_no_command, _missing, _not_here, _not_executable, _foreign, _settings)
