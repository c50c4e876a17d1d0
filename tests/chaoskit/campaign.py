"""Campaigns: a chaos network runs in a lab with faults, and its output must equal that of an undisturbed run."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaoskit.faults import Fault, Kind, random_faults, seconds_of
from chaoskit.plan import random_network
from chaoskit.project import NAME, ChaosProject, difference
from lab import Host, Lab, LabError, Running, job_processes, wait_for
from lab.shell import system

SETTLE = 60.0
"""Seconds within which blocks must arrive at the sinks again."""
_SETTINGS = """\
NODES = [{nodes}]
CERTS = "{certs}"
MAX_RESTARTS = 1000
LINK_TIMEOUT = 1
"""
_DISK_SIZE = "16m"
_REFUSED = "its state cannot be written to"
"""The warning, printed once, of a job whose state does not fit on the disk."""


class Campaign:
    """`run` it once; then `struck` has the faults that met the stream. Raises AssertionError when anything is wrong.

    `seed` makes the network and the faults; `say` is told what happens.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        seed: int,
        count: int,
        *,
        kinds: tuple[Kind, ...] = tuple(Kind),
        say: Callable[[str], None] = print,
    ) -> None:
        self.lab = lab
        self.seed = seed
        self.network = random_network(seed)
        self.faults = random_faults(seed, self.network, count, kinds)
        self.struck: list[Fault] = []
        self.refused = 0
        """How often a job has said that its state does not fit on the disk; known in the end."""
        self.clients: list[Running] = []
        nodes = ", ".join(f"BaseNode({node.address!r})" for node in lab.nodes)
        blocks = int(seconds_of(self.faults) * self.network.rate)
        settings = _SETTINGS.format(nodes=nodes, certs=lab.certs)
        self.project = ChaosProject(folder, self.network, blocks, settings)
        self._say = say
        self._heals: list[tuple[float, Callable[[], None]]] = []
        self._cuts: set[frozenset[str]] = set()
        self._mounts: list[Path] = []
        self._fillers: list[Filler] = []

    def run(self) -> None:
        """Run to the end, and compare."""
        self._say(f"{self.network}, {self.project.blocks} blocks per source")
        expected = self.project.reference()
        try:
            self._start()
            for fault in self.faults:
                if not self._ready_for(fault):
                    break
                self._strike(fault)
            self._heal_all()
            self._finish()
        except LabError as error:
            raise AssertionError(f"{error}\n{self.story()}") from error
        finally:
            self._tidy()
        wrong = difference(expected, self.project.output())
        if wrong:
            raise AssertionError(f"the output is not that of an undisturbed run\n{wrong}\n{self.story()}")

    def story(self) -> str:
        """What happened, and how to repeat it."""
        faults = "\n".join(f"  {fault}" for fault in self.struck)
        said = "\n".join(f"--- client {number}\n{one.tail(30)}" for number, one in enumerate(self.clients, 1))
        return (
            f"{self.network}\nfaults:\n{faults}\n{said}\n"
            f"to repeat it: python -m benchmarks.chaos --seed {self.seed} --faults {len(self.faults)}"
        )

    # -- the run ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        for host in self.lab.nodes:
            if Kind.DISK in {fault.kind for fault in self.faults}:
                self._mount(host)
        self.lab.start_nodes(slots=len(self.network.jobs))
        self._start_client()
        self._await(lambda: self.project.progress() > 0, "the first row at a sink")

    def _start_client(self) -> None:
        one = self.lab.client.popen(self.project.command("run"), env=self.project.environment())
        self.clients.append(one)

    def _finish(self) -> None:
        client = self.clients[-1]
        seconds = self.project.blocks / self.network.rate + SETTLE
        self._await(lambda: not client.running, "the end of the run", seconds)
        if client.code:
            raise LabError(f"run ended with exit code {client.code}")
        left = self._jobs()
        if left:
            wait_for(lambda: not self._jobs(), f"no process of jobs {sorted(left)} is left", 5)

    def _ready_for(self, fault: Fault) -> bool:
        """Wait until the time of the fault; return False when the run has ended before."""
        if not fault.at_once and self.struck:
            before, rest = self.project.progress(), 2.0
            self._await(
                lambda: self.project.progress() > before and not self._heals,
                "blocks after a fault",
                SETTLE + rest,
            )
        due = time.monotonic() + fault.pause
        self._await(lambda: time.monotonic() > due, "a pause")
        return self.clients[-1].running or bool(self._heals)  # a client that was killed is started again

    def _await(self, condition: Callable[[], object], what: str, deadline: float = SETTLE) -> None:
        """Wait for a condition, while what is to be healed is healed; also ends when the run does."""

        def met() -> bool:
            self._heal(time.monotonic())
            return bool(condition()) or (not self._heals and not self.clients[-1].running)

        wait_for(met, what, deadline)

    # -- faults ----------------------------------------------------------------------------------------------

    def _strike(self, fault: Fault) -> None:
        heal = self._effect(fault)
        if heal is None:
            self._say(f"  passed over: {fault}")
            return
        self._say(f"  {fault}")
        self.struck.append(fault)
        self._heals.append((time.monotonic() + fault.seconds, heal))

    def _effect(self, fault: Fault) -> Callable[[], None] | None:
        """Cause a fault; return the function that heals it, or None when the fault has no target."""
        match fault.kind:
            case Kind.JOB | Kind.FREEZE_JOB:
                return self._hurt_job(fault)
            case Kind.CLIENT:
                self.lab.client.kill()
                return self._start_client
            case Kind.FREEZE_CLIENT:
                frozen = self.lab.client.freeze()
                return lambda: _ignored(self.lab.client.thaw(frozen))
        host = self._busy_node(fault.target)
        if host is None:
            return None
        match fault.kind:
            case Kind.LINK:
                host.link_down()
                return host.link_up
            case Kind.FREEZE_NODE:
                frozen = host.freeze()
                return lambda: _ignored(host.thaw(frozen))
            case Kind.DISK:
                return self._fill(host)
            case Kind.CUT:
                return self._cut_off(host, fault.target)
            case Kind.SERVICE if host.service is not None:
                host.service.kill()
            case _:
                host.kill()
        return lambda: self._start_service(host)

    def _cut_off(self, host: Host, choice: int) -> Callable[[], None] | None:
        """Cut a node off from one of the other nodes; both reach the client."""
        others = [one for one in self.lab.nodes if one is not host]
        other = others[choice % len(others)]
        pair = frozenset((host.name, other.name))
        if pair in self._cuts:
            return None
        host.cut_off(other)
        self._cuts.add(pair)

        def rejoin() -> None:
            host.rejoin(other)
            self._cuts.discard(pair)

        return rejoin

    def _start_service(self, host: Host) -> None:
        if host.service is None or not host.service.running:
            host.start_node(slots=len(self.network.jobs))

    def _hurt_job(self, fault: Fault) -> Callable[[], None] | None:
        pid = self._jobs().get(fault.target)
        if pid is None:
            return None
        number = signal.SIGKILL if fault.kind is Kind.JOB else signal.SIGSTOP
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return (lambda: None) if fault.kind is Kind.JOB else (lambda: _send(pid, signal.SIGCONT))

    def _busy_node(self, choice: int) -> Host | None:
        """One of the nodes that have jobs and a link."""
        busy = [host for host in self.lab.nodes if job_processes(host, NAME)]
        return busy[choice % len(busy)] if busy else None

    def _jobs(self) -> dict[int, int]:
        """The newest process of every job, wherever it runs."""
        return {id: pid for host in self.lab.hosts.values() for id, pid in job_processes(host, NAME).items()}

    def _heal(self, now: float) -> None:
        for filler in self._fillers:
            filler.fill()
        for due, heal in list(self._heals):
            if now >= due:
                self._heals.remove((due, heal))
                heal()

    def _heal_all(self) -> None:
        self._await(lambda: not self._heals, "what is broken is healed")

    # -- disks -----------------------------------------------------------------------------------------------

    def _mount(self, host: Host) -> None:
        """Return the states on a node small disks of their own: those of its jobs, and those that it keeps for others."""
        for place in state_folders(host):
            place.mkdir(parents=True)
            system("mount", "-t", "tmpfs", "-o", f"size={_DISK_SIZE},mode=700", "tmpfs", str(place))
            self._mounts.append(place)

    def _fill(self, host: Host) -> Callable[[], None]:
        fillers = [Filler(place / "filler") for place in state_folders(host)]
        self._fillers += fillers

        def empty() -> None:
            for filler in fillers:
                self._fillers.remove(filler)
                filler.remove()

        return empty

    def _tidy(self) -> None:
        log = self.project.root / "FISSION.log"
        self.refused = log.read_text(errors="replace").count(_REFUSED) if log.exists() else 0
        for filler in self._fillers:
            filler.remove()
        for host in self.lab.hosts.values():
            host.kill()
            host.link_up()
        for place in self._mounts:
            with suppress(LabError):
                system("umount", "--lazy", str(place))
            shutil.rmtree(place, ignore_errors=True)


def state_folders(host: Host) -> tuple[Path, Path]:
    """Where the states of a chaos network are on a node: of its own jobs, and of jobs of other machines."""
    root = host.folder / "root"
    return root / NAME / ".state", root / ".states"


class Filler:
    """A file that fills a disk. Call `fill` repeatedly, because old states are removed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.fill()

    def fill(self) -> None:
        """Fill the free space of the disk."""
        size = 1 << 20
        while size >= 1 << 9:
            try:
                os.write(self._file, bytes(size))
            except OSError:
                size //= 2

    def remove(self) -> None:
        """Return the room back."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ignored(_value: object) -> None:
    """Makes a function that returns something one that returns nothing."""
