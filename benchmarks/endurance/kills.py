"""Failovers in a row: processes of jobs are killed again and again, and the sink's file must be as if nothing had happened."""

import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.endurance.census import census, job_processes
from benchmarks.endurance.growth import Growths
from benchmarks.harness.processes import Run
from benchmarks.subjects import fission_command
from fission.project.scaffold import start_project

NAME = "kills"
JOBS = (1, 2, 3)
PATIENCE = 60.0
"""Seconds within which a killed job, and then the stream, must be back."""
_AT_ONCE = 0.3
"""So many kills happen before the stream is back after the one before."""
_CENSUSES = 60
_RATE = 200

_CONFIG = '''\
import os
import time

from fission.core.jobs import CSVSinkJob, PythonJob
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe

_STOP = {stop!r}


class Source(PythonJob):
    """1, 2, 3, ... until the file exists; then it writes beside that how far it came."""

    def __init__(self, outputs):
        super().__init__([], outputs)
        self.count = 0

    def run(self):
        if os.path.exists(_STOP):
            with open(_STOP + "ped", "w") as file:
                file.write(str(self.count))
            return None
        time.sleep({pause})
        self.count += 1
        return self.count

    def snapshot(self):
        return self.count

    def restore(self, state):
        self.count = state


class Total(PythonJob):
    """The sum of all that has come."""

    total = 0

    def run(self, number):
        self.total += number
        return f"{{number}} {{self.total}}"


JOBS = [
    Source([PicklePipe(1)]),
    Total([PicklePipe(1)], [PicklePipe(2)]),
    CSVSinkJob("out.csv", [PicklePipe(2)]),
]
NODES = [BaseNode("10.77.0.11"), BaseNode("10.77.0.12")]
MAX_RESTARTS = 1000000
'''


class GaveUpError(Exception):
    """The network did not recover in time."""


@dataclass
class Kills:
    """What came of them; `problem` says what was wrong, "" if nothing."""

    wanted: int
    done: int = 0
    rows: int = 0
    seconds: float = 0.0
    growths: Growths = field(default_factory=Growths)
    problem: str = ""

    @property
    def sound(self) -> bool:
        """Whether all were survived, and nothing grows."""
        return not self.problem and self.done == self.wanted and not self.growths.growing


def run_kills(count: int, seed: int, say: Callable[[str], None]) -> Kills:
    """Run a network on two embedded nodes, and kill processes of its jobs so many times."""
    result = Kills(count)
    with tempfile.TemporaryDirectory(prefix="fission-kills-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        root = start_project(folder, "project")
        (root / NAME).mkdir()
        (root / NAME / "__init__.py").touch()
        config = _CONFIG.format(stop=str(folder / "stop"), pause=1 / _RATE)
        (root / NAME / "config.py").write_text(config, encoding="utf-8")
        (folder / "tmp").mkdir()
        command = (fission_command(), "run", NAME, "--embedded", "2", "--until-finished")
        environment = os.environ | {"TMPDIR": str(folder / "tmp")}
        with Run(command, root, environment, folder / "output.txt") as run:
            try:
                _Campaign(
                    run, folder, root / NAME / "local" / "3" / "out.csv", result, Random(seed), say
                ).run()
            except GaveUpError as error:
                result.problem = f"{error}: {run.tail(3)}"
            result.seconds = time.monotonic() - run.started
        result.problem = result.problem or _left(run, folder / "tmp")
    return result


class _Campaign:
    def __init__(
        self, run: Run, folder: Path, sink: Path, result: Kills, random: Random, say: Callable[[str], None]
    ) -> None:
        self._run = run
        self._folder = folder
        self._sink = sink
        self._result = result
        self._random = random
        self._say = say
        self._dead: set[int] = set()

    def run(self) -> None:
        self._await(lambda: self._size() > 0 and len(self._living()) == len(JOBS), "the first rows")
        every = max(1, min(10, self._result.wanted // 10), self._result.wanted // _CENSUSES)
        for number in range(self._result.wanted):
            if number % every == 0:
                self._calm()
                self._take_census(number)
            elif self._random.random() > _AT_ONCE:
                self._progress()
            self._kill()
            self._result.done = number + 1
        self._calm()
        self._take_census(self._result.done)
        (self._folder / "stop").touch()
        code = self._run.wait(time.monotonic() - self._run.started + PATIENCE)
        if code != 0:
            raise GaveUpError("run did not end" if code is None else f"run ended with exit code {code}")
        sent = int((self._folder / "stopped").read_text(encoding="utf-8"))
        self._result.rows, self._result.problem = judged(self._sink.read_text(encoding="utf-8"), sent)

    def _kill(self) -> None:
        job = self._random.choice(JOBS)
        self._await(lambda: job in self._living(), f"a process of job {job} after {self._result.done} kills")
        pid = self._living().get(job)
        if pid is not None:
            self._dead.add(pid)
            with suppress(ProcessLookupError):  # it has just ended, like one that never got its orders
                os.kill(pid, signal.SIGKILL)

    def _living(self) -> dict[int, int]:
        found = job_processes(self._run.process.pid)
        return {job: pid for job, pid in found.items() if pid not in self._dead}

    def _calm(self) -> None:
        """All jobs run, and rows come."""
        self._await(lambda: len(self._living()) == len(JOBS), f"all jobs after {self._result.done} kills")
        self._progress()

    def _progress(self) -> None:
        size = self._size()
        self._await(lambda: self._size() > size, f"rows after {self._result.done} kills")

    def _size(self) -> int:
        return self._sink.stat().st_size if self._sink.exists() else 0

    def _take_census(self, number: int) -> None:
        figures = census(self._run.process.pid, self._folder)
        self._result.growths.add(number, figures)
        sizes = ", ".join(
            f"{role} {figures[f'{role}: rss']:.1f}" for role in ("client", "nodes", "fork servers")
        )
        self._say(f"{number}/{self._result.wanted} kills; MB: {sizes}; processes {figures['processes']:.0f}")

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if self._run.process.poll() is not None:
                raise GaveUpError(f"run ended with exit code {self._run.process.returncode}")
            if time.monotonic() > end:
                raise GaveUpError(f"waited {PATIENCE:g} s for: {what}")
            time.sleep(0.02)


def judged(text: str, sent: int) -> tuple[int, str]:
    """Count the rows of the sink, and say what of them is not as if nothing had happened; "" if it all is."""
    rows = [row.strip('"') for row in text.split("\n")[1:-1]]
    for number, total, row in zip(
        itertools.count(1), itertools.accumulate(itertools.count(1)), rows, strict=False
    ):
        if row != f"{number} {total}":
            return len(rows), f"row {number}: expected {number} {total}, found {row}"
    return len(rows), "" if 0 < len(rows) == sent else f"{len(rows)} rows of {sent} blocks"


def _left(run: Run, folder: Path) -> str:
    """What the run has left behind."""
    if run.left:
        return f"{run.left} processes were left behind"
    names = sorted(path.name for path in folder.iterdir())
    return f"left in the folder for temporary files: {', '.join(names)}" if names else ""
