"""Trials: a stream runs in a lab of four hosts while one fault follows the other; its sink shows the gaps."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.failover.figures import first_line_after, gap
from lab import Host, Lab, Stream, job_processes, wait_for
from lab.stream import SINK, SOURCE, WORK

SETTLE_ROWS = 50


@dataclass(frozen=True)
class Blow:
    """`hit` lets a fault happen, `heal` ends it."""

    hit: Callable[[], object]
    heal: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `strike(scene)` prepares it, `seen` matches the line of the client's log, `job` is restarted."""

    name: str
    title: str
    goal: float
    """Seconds, for the median of the gap; of design.md 8. 0: there is none."""
    seen: str
    strike: "Strike"
    job: int = WORK


@dataclass
class Trials:
    """The results of the trials of one fault."""

    fault: str
    gaps: list[float] = field(default_factory=list)
    """Seconds from the fault to the first new block at the sink."""
    seen: list[float] = field(default_factory=list)
    """Seconds from the fault until the client's log says so."""
    wrong: str = ""
    """What the sink has lost, doubled or mixed up, or how the run failed; "" when it is whole."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return dict(vars(self))


class Scene:
    """A running stream that is exposed to faults."""

    def __init__(self, lab: Lab, rate: float, blocks: int, settings: str) -> None:
        self.lab = lab
        self.stream = Stream.in_lab(lab, blocks=blocks, rate=rate, settings=settings)
        lab.start_nodes()
        self.client = self.stream.start(lab.client)
        self.await_rows(SETTLE_ROWS)

    def await_rows(self, count: int) -> None:
        """Wait until so many rows more are there."""
        self.stream.await_rows(len(self.stream.rows()) + count, self.client)

    def host_of(self, job: int) -> Host:
        """The host on which a job runs; it must be one only."""
        wait_for(lambda: len(self._hosts(job)) == 1, f"one process of job {job}")
        return self._hosts(job)[0]

    def _hosts(self, job: int) -> list[Host]:
        return [host for host in self.lab.hosts.values() if job in job_processes(host)]

    def worker(self) -> Host:
        """The host of the work, which has no source. Where it has, the work is moved."""
        host = self.host_of(WORK)
        if SOURCE not in job_processes(host):
            return host
        host.kill()
        host.start_node()
        self.await_rows(SETTLE_ROWS)
        return self.worker()

    def log(self) -> str:
        """The log of the client."""
        return (self.stream.root / "FISSION.log").read_text(errors="replace")

    def start_client(self) -> None:
        """Start the client again."""
        self.client = self.stream.start(self.lab.client)


Strike = Callable[[Scene], Blow]


def _kill_job(job: int) -> Strike:
    def strike(scene: Scene) -> Blow:
        pid = job_processes(scene.host_of(job))[job]
        return Blow(lambda: os.kill(pid, signal.SIGKILL))

    return strike


def _power(scene: Scene) -> Blow:
    host = scene.worker()
    return Blow(host.kill, host.start_node)


def _service(scene: Scene) -> Blow:
    host = scene.worker()
    pid = host.service.pid if host.service is not None else 0
    return Blow(lambda: os.kill(pid, signal.SIGKILL), host.start_node)


def _link(scene: Scene) -> Blow:
    host = scene.worker()
    return Blow(host.link_down, host.link_up)


def _freeze(scene: Scene) -> Blow:
    host = scene.worker()
    return Blow(host.freeze, host.thaw)


def _client(scene: Scene) -> Blow:
    def hit() -> None:
        scene.lab.client.kill()
        scene.start_client()

    return Blow(hit)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("job", "kill -9 of a connector", 0.2, r"Work 2\].* killed", _kill_job(WORK)),
        Fault("source", "kill -9 of a source", 0.2, r"Source 1\].* killed", _kill_job(SOURCE), SOURCE),
        Fault("sink", "kill -9 of a sink", 0.2, r"Sink 3\].* killed", _kill_job(SINK), SINK),
        Fault("service", "kill -9 of a node service", 0.7, r"node 10\S* lost", _service),
        Fault("power", "kill -9 of a node service and all its jobs", 0.7, r"node 10\S* lost", _power),
        Fault("link", "link down", 1.2, r"node 10\S* lost", _link),
        Fault("freeze", "everything on a node stands still (SIGSTOP)", 1.2, r"node 10\S* lost", _freeze),
        Fault("client", "kill -9 of the client, started again at once", 0.0, r"^$", _client, SINK),
    )
}


def run_trials(
    fault: Fault, trials: int, *, rate: float = 100.0, settings: str = "", say: Callable[[str], None] = print
) -> Trials:
    """Let a fault happen so many times to one stream, with time to recover in between."""
    result = Trials(fault.name)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fission-failover-", ignore_cleanup_errors=True) as folder,
            Lab(Path(folder) / "lab") as lab,
        ):
            scene = Scene(lab, rate, blocks=int(rate * (trials + 5) * 60), settings=settings)
            try:
                for number in range(trials):
                    _trial(scene, fault, result)
                    gap, seen = result.gaps[-1], result.seen[-1]
                    say(f"{fault.name} {number + 1}/{trials}: seen {seen:.3f} s, gap {gap:.3f} s")
                scene.client.send(signal.SIGINT)
                scene.client.wait(10)
            except Exception as error:  # noqa: BLE001 - whatever happens is a result
                result.wrong = f"{type(error).__name__}: {error}\n{scene.log()[-2000:]}"
            result.wrong = result.wrong or scene.stream.mistakes()
    except Exception as error:  # noqa: BLE001 - also that there was no lab, or no stream
        result.wrong = result.wrong or f"{type(error).__name__}: {error}"
    return result


def _trial(scene: Scene, fault: Fault, result: Trials) -> None:
    blow = fault.strike(scene)
    scene.await_rows(SETTLE_ROWS)
    old = scene.stream.rows()[-1].pid_of(fault.job)
    wall, struck = time.time(), time.monotonic()
    blow.hit()
    wait_for(lambda: scene.stream.rows()[-1].pid_of(fault.job) != old, "a block of the successor", 60)
    result.gaps.append(gap([(row.arrived, row.pid_of(fault.job)) for row in scene.stream.rows()], struck))
    result.seen.append(first_line_after(scene.log(), fault.seen, wall))
    blow.heal()
    scene.await_rows(SETTLE_ROWS)
