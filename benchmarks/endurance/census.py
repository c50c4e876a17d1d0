"""The resources that a running network uses: memory, descriptors, threads, processes, files."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

ROLES = ("client", "nodes", "fork servers", "reapers", "jobs")
_SHARED = Path("/dev/shm")
_MANY = {"rss": "MB", "descriptors": "descriptors", "threads": "threads"}


def census(client: int, folder: Path) -> dict[str, float]:
    """Count what the client, all that it has started and the run's folder have now; keys as in `unit_of`.

    Descriptors and threads of jobs are left out: they belong to processes that come and go.
    """
    found = {f"{role}: {name}": 0.0 for role in ROLES for name in _MANY if role != "jobs" or name == "rss"}
    processes = 0
    with suppress(psutil.Error):
        everybody = [psutil.Process(client), *psutil.Process(client).children(recursive=True)]
        for process in everybody:
            with suppress(psutil.Error):
                role = role_of(process, client)
                figures = {
                    "rss": process.memory_info().rss / 1e6,
                    "descriptors": process.num_fds(),
                    "threads": process.num_threads(),
                }
                processes += 1
                for name, figure in figures.items():
                    if f"{role}: {name}" in found:
                        found[f"{role}: {name}"] += figure
    files = list(_files(folder))
    return found | {
        "processes": processes,
        "files": len(files),
        "sockets and other names": sum(not path.is_file() for path in files),
        "shared memory": len(os.listdir(_SHARED)) if _SHARED.is_dir() else 0,
    }


def unit_of(what: str) -> str:
    """What a figure of the census counts."""
    return _MANY.get(what.rpartition(": ")[2], "")


def role_of(process: psutil.Process, client: int) -> str:
    """One of ROLES."""
    name = process.name()
    if process.pid == client:
        return "client"
    if name.startswith("job-"):
        return "jobs"
    return {"fission-node": "nodes", "fission-fork": "fork servers"}.get(name, "reapers")


def job_processes(client: int) -> dict[int, int]:
    """The processes of the network's jobs: id of the job to id of the youngest process."""
    found: dict[int, tuple[float, int]] = {}
    with suppress(psutil.Error):
        for process in psutil.Process(client).children(recursive=True):
            with suppress(psutil.Error, ValueError):
                kind, _, id = process.name().partition("-")
                if kind == "job" and process.status() != psutil.STATUS_ZOMBIE:
                    found[int(id)] = max(found.get(int(id), (0.0, 0)), (process.create_time(), process.pid))
    return {job: pid for job, (_, pid) in found.items()}


def _files(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder; what goes meanwhile is left out."""
    for here, _, names in os.walk(folder):
        yield from (Path(here) / name for name in names)
