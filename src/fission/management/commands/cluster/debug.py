"""`fission_debug.py`: follow the output of chosen jobs. The window of DEBUG_WINDOW runs it, too."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from fission.core.network import Network
from fission.engine.client.private.run_folder import private_folder
from fission.engine.files.locks import is_locked
from fission.engine.simulate.simulation import SIMULATION
from fission.errors import RunError, UserError
from fission.management.access.project_root import find_root
from fission.management.access.running_client import LOGS, ask
from fission.management.commands.cluster.logs import LinePrinter, RecordFilter, follow_log
from fission.management.console.exit_codes import exit_code_of
from fission.management.console.log_reader import LogReader
from fission.management.console.records import LOG_NAME
from fission.project.load import find_network, networks_of
from fission.project.suggest import listed
from fission.runtime.job.terminal_window import open_window

__all__ = ["main", "open_debug_window"]


def open_debug_window(network: Network, *, simulation: bool) -> str:
    """Open a window with the output of all jobs if DEBUG_WINDOW is set; return a message if that is impossible."""
    if not network.settings.debug_window:
        return ""
    folder = Path(network.folder) / SIMULATION if simulation else private_folder(network.folder)
    command = [sys.executable, "-m", "fission.management.commands.cluster.debug", "--pipe", str(folder)]
    if open_window(f"{network.name} output", command):
        return ""
    option = " --simulation" if simulation else ""
    return f"DEBUG_WINDOW: no window can be opened here. In another terminal: fission logs {network.name} --follow{option}"


def main() -> None:
    """Entry point of `fission_debug.py`."""
    sys.exit(exit_code_of(lambda: debug_command(sys.argv[1:])))


def debug_command(words: Sequence[str]) -> int:
    """Follow the output until the network ends, or Ctrl+C. Raises UserError and RunError."""
    parser = argparse.ArgumentParser(
        "fission_debug.py",
        description="Follow the output of jobs of a network that this machine runs. The list 'Network Information' in"
        " `fission logs NET` has the addresses of the jobs. Run it in the folder of the project. It continues to follow a"
        " job that restarts on another node.",
    )
    parser.add_argument(
        "--ip", action="append", default=[], help="address of a job; repeatable, each with a --port"
    )
    parser.add_argument("--port", action="append", default=[], type=int, help="port of the job")
    parser.add_argument(
        "--pipe",
        type=Path,
        metavar="FOLDER",
        help="all jobs of the run in this folder; used by the debug window",
    )
    given = parser.parse_args(words)
    if given.pipe is not None:
        if given.ip or given.port:
            raise UserError(
                "--pipe shows all jobs and cannot be combined with --ip or --port", where="fission_debug.py"
            )
        return _window(given.pipe)
    if not given.ip or len(given.ip) != len(given.port):
        raise UserError(
            "the addresses of the jobs are incomplete",
            where="fission_debug.py",
            expected="an --ip and a --port for each",
            found=f"{len(given.ip)} --ip, {len(given.port)} --port",
        )
    root = find_root(None)
    name, jobs = _find(root, set(zip(given.ip, given.port, strict=True)))
    _follow(private_folder(find_network(root, name)), RecordFilter(jobs))
    return 0


def _window(folder: Path) -> int:
    """Follow all jobs, and keep the window open at the end."""
    _follow(folder, RecordFilter())
    if sys.stdin.isatty():
        with contextlib.suppress(KeyboardInterrupt, EOFError):
            input("The network has ended. Enter closes this window. ")
    return 0


def _follow(folder: Path, wanted: RecordFilter) -> None:
    """Follow the records of the run or simulation that holds the lock of a folder."""
    path = folder / LOG_NAME if folder.name == SIMULATION else folder / LOGS / LOG_NAME
    if not folder.is_dir():
        raise RunError("no network runs in this folder", where=str(folder))
    with LogReader(path) as reader, contextlib.suppress(KeyboardInterrupt):
        follow_log(reader, wanted, LinePrinter(), lambda: is_locked(folder))


def _find(root: Path, addresses: set[tuple[str, int]]) -> tuple[str, tuple[str, ...]]:
    """Return the network whose jobs listen at these addresses, and their ids. Raises RunError."""
    known: list[str] = []
    for name in networks_of(root):
        answer = ask(root, name, do="status")
        if answer is None:
            continue
        jobs = {(job["ip"], job["port"]): str(job["id"]) for job in answer["network"]["jobs"]}
        if addresses <= jobs.keys():
            return name, tuple(jobs[address] for address in addresses)
        known += [f"{ip} {port} ({name}, job {id})" for (ip, port), id in jobs.items() if port]
    raise RunError(
        "no network of this machine has jobs at these addresses",
        where=", ".join(f"{ip} {port}" for ip, port in sorted(addresses)),
        hint=f"The jobs are at {listed(known)}" if known else "Start it: fission run NET",
    )


if __name__ == "__main__":
    main()
