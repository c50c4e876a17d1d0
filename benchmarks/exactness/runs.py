"""One run: what comes out at the sink, and where the connector's states are kept meanwhile."""

import json
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.exactness.project import CONNECTOR, NAME, WARMUP_SECONDS, Case, write_project
from benchmarks.harness.machine import ForeignLoad
from benchmarks.harness.processes import Run
from benchmarks.subjects import fission_command

SLACK_SECONDS = 90.0
LARGE = 10_000_000
"""Bytes of a state from which on a run takes longer: it takes seconds to bring it to two other machines."""
LONGER = 3.0
Watch = Callable[[int, Path, float], None]
COPIES = 2
"""A state has to be at the client and at one more node."""


@dataclass
class Outcome:
    """What one run of a case gave; `problem` says what was not as it has to be."""

    case: Case
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


class StateWatch:
    """Call `look` often; afterwards it knows how many checkpoints of the connector were kept, and at how many places."""

    def __init__(self, scratch: Path) -> None:
        self.copies = 0
        self.largest = 0
        self._seen: set[tuple[int, int]] = set()
        self._scratch = scratch

    @property
    def checkpoints(self) -> int:
        """States that were kept somewhere."""
        return len(self._seen)

    def look(self, _age: float) -> None:
        """Count the checkpoints: empty files named EPOCH-ROUND-DIGEST-SIZE-INCARNATION-CODE, beside the states."""
        places: dict[str, int] = {}
        names: list[Path] = []
        with suppress(OSError):  # a folder has gone meanwhile
            names += self._scratch.rglob(f"{NAME}/*/{CONNECTOR}/*-*-*-*-*-*")
        for path in names:
            with suppress(OSError, ValueError):  # it is not needed any more, or something else
                epoch, round, digest, size, _incarnation, _code = path.name.split("-")
                whole = (path.parent / digest).stat().st_size == int(size)
                places[digest] = places.get(digest, 0) + whole
                self._seen.add((int(epoch), int(round)))
                self.largest = max(self.largest, int(size))
        self.copies = max([self.copies, *places.values()])


def run_case(case: Case, number: int, seconds: float, watch: Watch | None = None) -> Outcome:
    """Run a case once on two embedded nodes. Whatever goes wrong is the outcome's `problem`.

    `watch` is called often, with the client's process id, the run's scratch folder and the seconds since the start.
    """
    outcome = Outcome(case, number)
    seconds *= LONGER if case.size >= LARGE else 1.0
    with tempfile.TemporaryDirectory(prefix="fission-exactness-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        root = write_project(folder, case, seconds)
        (folder / "tmp").mkdir()
        states = StateWatch(folder)
        foreign = ForeignLoad()
        command = (fission_command(), "run", NAME, "--embedded", "2", "--until-finished")
        environment = os.environ | {"TMPDIR": str(folder / "tmp")}  # there are the folders of the nodes
        with Run(command, root, environment, folder / "output.txt") as run:

            def look(age: float) -> None:
                states.look(age)
                if watch is not None:
                    watch(run.process.pid, folder, age)

            code = run.wait(WARMUP_SECONDS + seconds + SLACK_SECONDS, look)
        reports: dict[str, float] = {}
        for report in (folder / "source.json", folder / "sink.json"):
            with suppress(OSError, ValueError):
                reports |= json.loads(report.read_text(encoding="utf-8"))
        outcome.figures = reports | {
            "checkpoints": states.checkpoints,
            "copies": states.copies,
            "kept": states.largest,
            "foreign": foreign.share(),
        }
        failed = "did not end in time" if code is None else f"ended with exit code {code}" if code else ""
        outcome.problem = f"{failed}: {run.tail(3)}" if failed else judged(case, outcome.figures)
        if run.left and not outcome.problem:
            outcome.problem = f"{run.left} processes were left behind"
    return outcome


def judged(case: Case, figures: Mapping[str, float]) -> str:
    """Describe what is wrong about a run that came to its end; "" if nothing."""
    missing = {"sent", "rounds", "others", "rate", "longest"} - set(figures)
    if missing:
        return f"no figure for {', '.join(sorted(missing))}"
    if case.delivery == "exact":
        if figures["others"]:
            return f"{figures['others']:.0f} blocks at the sink were not those of their rounds"
        if figures["rounds"] != figures["sent"]:
            return f"{figures['sent']:.0f} blocks were sent, {figures['rounds']:.0f} came"
    if case.size and (figures["kept"] < case.size or figures["copies"] < COPIES):
        return (
            f"states of {case.size} bytes have to be kept at {COPIES} places: found {figures['kept']:.0f} bytes"
            f" at {figures['copies']:.0f}"
        )
    return "" if figures["rate"] else "nothing came in the time that counts"


def bare_pickle(size: int) -> float:
    """Seconds that nothing but the pickling of such a state takes: the least that a round has to wait."""
    import numpy as np

    data = np.full(size, 7, "uint8")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        pickle.dumps(data, protocol=5)
        times.append(time.perf_counter() - began)
    return sorted(times)[2]
