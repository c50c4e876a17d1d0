"""The subjects of the measurement and how each is started."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.workloads import KINDS, WORKLOADS, Plan

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ROOT / "benchmarks" / "networks"
BASELINE = "bare"


@dataclass(frozen=True)
class Launch:
    """How to start one run of a subject, and where its three processes leave their reports."""

    command: tuple[str, ...]
    folder: Path
    """Working directory of the command."""
    reports: Path
    """Has the folders 1, 2, 3 of source, forward and sink."""


@dataclass(frozen=True)
class Subject:
    """One way to carry the chain."""

    name: str
    title: str
    prepare: Callable[[Path, Plan], Launch]
    """Fills an empty scratch folder and says how to start."""
    kinds: tuple[str, ...] = KINDS
    workloads: tuple[str, ...] = tuple(WORKLOADS)


def prepare_fission(scratch: Path, plan: Plan) -> Launch:  # noqa: ARG001 - the plan travels in the environment
    """Copy the network project, as a user's folder; start it with the real command."""
    project = scratch / "project"
    shutil.copytree(NETWORKS, project, ignore=shutil.ignore_patterns("simulation", "__pycache__"))
    command = (fission_command(), "simulate", "chain", "--until-finished")
    return Launch(command, project, project / "chain" / "simulation")


def prepare_wires(kind: str) -> Callable[[Path, Plan], Launch]:
    """The same network with every job at an address of its own, joined by tcp or tls."""

    def prepare(scratch: Path, plan: Plan) -> Launch:
        project = prepare_fission(scratch, plan).folder
        return Launch(
            (sys.executable, "-m", "benchmarks.wires", kind, str(project)), project, project / "wires"
        )

    return prepare


def fission_command() -> str:
    """Return the `fission` command that belongs to this Python, else the one in PATH."""
    beside = Path(sys.executable).parent / "fission"
    return str(beside) if beside.exists() else shutil.which("fission") or str(beside)


def _peer(name: str) -> Callable[[Path, Plan], Launch]:
    def prepare(scratch: Path, plan: Plan) -> Launch:  # noqa: ARG001 - the plan travels in the environment
        return Launch((sys.executable, "-m", "benchmarks.peers", name, str(scratch)), scratch, scratch)

    return prepare


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("fission", "FISSION", prepare_fission),
        Subject("fission-tcp", "FISSION over TCP", prepare_wires("tcp"), ("throughput", "latency")),
        Subject("fission-tls", "FISSION over TLS", prepare_wires("tls"), ("throughput", "latency")),
        Subject("hosts-tcp", "FISSION between hosts, TCP", prepare_wires("hosts-tcp"), ("throughput",)),
        Subject("hosts-tls", "FISSION between hosts, TLS", prepare_wires("hosts-tls"), ("throughput",)),
        Subject("bare", "bare loop", _peer("bare")),
        Subject("bare-batched", "bare loop, batched", _peer("bare-batched"), ("throughput",), ("int", "4k")),
        Subject("pyzmq", "bare pyzmq", _peer("pyzmq")),
        Subject("mp-queue", "multiprocessing.Queue", _peer("mp-queue")),
        Subject("mp-pipe", "multiprocessing.Pipe", _peer("mp-pipe")),
    )
}
