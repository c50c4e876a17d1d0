"""`logs`: show the output and the events of all jobs of a network, merged by time."""

import contextlib
import datetime as dt
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fission.engine.client.private.run_folder import private_folder
from fission.engine.simulate.simulation import SIMULATION
from fission.errors import ProjectError, UserError
from fission.management.access.running_client import LOGS
from fission.management.console.log_reader import LogReader
from fission.management.console.records import LOG_NAME, Record
from fission.project.load import find_network
from fission.project.suggest import did_you_mean, listed

_POLL_SECONDS = 0.1

Show = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """A filter for records: of `jobs` (ids and names; empty: all), from `level` and from the time `since` on."""

    jobs: tuple[str, ...] = ()
    level: int = logging.DEBUG
    since: float = 0.0

    def __contains__(self, record: object) -> bool:
        if not isinstance(record, Record) or record.level < self.level or record.time < self.since:
            return False
        return not self.jobs or (
            record.job > 0 and (str(record.job) in self.jobs or record.name in self.jobs)
        )


def logs_command(
    root: Path, name: str, wanted: RecordFilter, *, simulation: bool, follow: bool, as_json: bool, whole: bool
) -> int:
    """Print the records of the last run, or with `whole` of all kept runs; with `follow` also new ones.

    Raises ProjectError when there is no log, UserError when the log has no such job.
    """
    network = find_network(root, name)
    path = (network / SIMULATION if simulation else private_folder(network) / LOGS) / LOG_NAME
    show: Show = show_json if as_json else LinePrinter()
    known: dict[int, str] = {}
    with LogReader(path, whole=whole) as reader, _until_interrupted() if follow else contextlib.nullcontext():
        for record in reader.more():
            if record.job:
                known[record.job] = record.name
            if record in wanted:
                show(record)
        if follow:
            follow_log(reader, wanted, show)
        _check(wanted, known, path, name, simulation=simulation)
    return 0


@contextlib.contextmanager
def _until_interrupted() -> Iterator[None]:
    """Suppress KeyboardInterrupt: Ctrl+C is the normal end."""
    with contextlib.suppress(KeyboardInterrupt):
        yield


def follow_log(
    reader: LogReader, wanted: RecordFilter, show: Show, running: Callable[[], bool] = lambda: True
) -> None:
    """Print new records until `running` is false and no more have come."""
    while True:
        last = not running()
        for record in reader.more():
            if record in wanted:
                show(record)
        sys.stdout.flush()
        if last:
            return
        time.sleep(_POLL_SECONDS)


def _check(wanted: RecordFilter, known: dict[int, str], path: Path, name: str, *, simulation: bool) -> None:
    """Raise if the log or a wanted job does not exist."""
    if not path.exists():
        verb = "simulate" if simulation else "run"
        hint = f"Start the network: fission {verb} {name}" + (
            "" if simulation else ". Logs of simulations: --simulation"
        )
        raise ProjectError("the network has no log", where=f"network {name}", hint=hint)
    for job in wanted.jobs:
        if job not in known.values() and job not in map(str, known):
            raise UserError(
                f"the log has no job {job!r}",
                where=f"network {name}",
                hint=did_you_mean(job, known.values())
                or f"The jobs are {listed(f'{id} ({text})' for id, text in sorted(known.items()))}",
            )


def show_json(record: Record) -> None:
    """Print a record as JSON, in the format of the file."""
    print(record.encoded())


class LinePrinter:
    """Prints records as lines, in color on a terminal."""

    _COLORS = (36, 32, 35, 34, 33, 96, 92, 95)

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()

    def __call__(self, record: Record) -> None:
        """Print a record with its local time."""
        moment = dt.datetime.fromtimestamp(record.time).isoformat(" ", "milliseconds")
        name, text = record.name, record.text
        level = "" if record.stream != "log" else f"{logging.getLevelName(record.level)}: "
        if self._terminal:
            color = self._COLORS[record.job % len(self._COLORS)] if record.job else 2
            name = f"\033[{color}m{name}\033[0m"
            if record.level >= logging.WARNING or record.stream == "stderr":
                text = f"\033[31m{text}\033[0m"
        at = f" at {record.node}" if record.job and record.node != "client" else ""
        print(f"{moment} {name}{at} | {level}{text}")
