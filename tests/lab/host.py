"""One host of the lab: processes, its link, its fission-node."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lab import names
from lab.shell import LabError, system, wait_for

NODE_PORT = 8785
LINK = "eth0"


class Running:
    """A process on a host. It leads a process group; `out` and `err` are the files with its output."""

    def __init__(self, argv: Sequence[str], process: "subprocess.Popen[bytes]", out: Path, err: Path) -> None:
        self.argv = tuple(argv)
        self.process = process
        self.out = out
        self.err = err

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self.process.poll()

    def text(self) -> str:
        """All output so far, stdout first."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill this process only, and wait for its end."""
        self.process.kill()
        self.process.wait(10)

    def wait(self, seconds: float = 60) -> int:
        """Wait for the end; return the exit code. Raises LabError with the last lines when it does not come."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{shlex.join(self.argv)} did not end in {seconds:g} s:\n{self.tail()}") from None

    def says(self, text: str, deadline: float = 30) -> None:
        """Wait until it has written this text; raises LabError when it ends, or the time is up, before."""
        wait_for(lambda: text in self.text() or not self.running, f"{text!r} from {self}", deadline)
        if text not in self.text():
            raise LabError(f"{self} ended with code {self.code} and never said {text!r}:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        """Return the last lines that it wrote."""
        return "\n".join(self.text().splitlines()[-lines:])

    def __repr__(self) -> str:
        return f"<{self.pid}: {shlex.join(self.argv)}>"


class Host:
    """A network namespace with one link to the bridge. A Lab creates and removes it."""

    def __init__(
        self, name: str, address: str, *, space: str, switch: str, folder: Path, certs: Path
    ) -> None:
        self.name = name
        self.address = address
        self.space = space
        self.folder = folder
        self.certs = certs
        self.started: list[Running] = []
        self.service: Running | None = None
        self._switch = switch
        self._port = f"to-{name}"
        folder.mkdir(parents=True)

    def plug_in(self, network: str, mask: int) -> None:
        """Make the host and its link."""
        names.make(self.space)
        system(
            *("ip", "link", "add", self._port, "netns", self._switch),
            *("type", "veth", "peer", "name", LINK, "netns", self.space),
        )
        system("ip", "-n", self._switch, "link", "set", self._port, "master", network, "up")
        system("ip", "-n", self.space, "address", "add", f"{self.address}/{mask}", "dev", LINK)
        system("ip", "-n", self.space, "link", "set", LINK, "up")

    # -- processes ---------------------------------------------------------------------------------------------

    def popen(
        self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Running:
        """Start a process on this host, in a session of its own; its output goes to files of the host's folder."""
        number = len(self.started) + 1
        stem = f"{number}-{Path(argv[0]).name}"
        out, err = self.folder / f"{stem}.out", self.folder / f"{stem}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.space, *argv],
                cwd=cwd or self.folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        one = Running(argv, process, out, err)
        self.started.append(one)
        return one

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> Running:
        """Run a process to its end, whatever its exit code. Raises LabError when the end does not come."""
        one = self.popen(argv, cwd=cwd, env=env)
        one.wait(seconds)
        return one

    def python(self, code: str, *, seconds: float = 60) -> str:
        """Run some Python on this host; return what it prints. Raises LabError when it fails."""
        one = self.run([sys.executable, "-c", code], seconds=seconds)
        if one.code:
            raise LabError(f"{one} failed:\n{one.tail()}")
        return one.out.read_text()

    def pids(self) -> list[int]:
        """Return the ids of all processes on this host."""
        return names.inhabitants(self.space)

    def start_node(self, *options: str, slots: int = 4) -> Running:
        """Start `fission-node` on this host and wait until its port is open; the answer is also `self.service`."""
        service = self.launch_node(*options, slots=slots)
        self.await_node()
        return service

    def launch_node(self, *options: str, slots: int = 4, clock: int = 0) -> Running:
        """The same, without waiting: call `await_node` then. `clock`: seconds by which its monotonic clock is ahead."""
        shift = ("unshare", "--time", "--monotonic", str(clock), "--fork", "--kill-child") if clock else ()
        self.service = self.popen(
            [
                *shift,
                *(str(Path(sys.executable).with_name("fission-node")), "--address", self.address),
                *("--port", str(NODE_PORT), "--name", self.name, "--slots", str(slots)),
                *("--certs", str(self.certs), "--root", str(self.folder / "root"), *options),
            ]
        )
        return self.service

    def await_node(self, deadline: float = 20) -> None:
        """Wait until the node's port is open."""
        service = self.service

        def ready() -> bool:
            if service is not None and not service.running:
                raise LabError(f"fission-node ended with code {service.code}:\n{service.tail()}")
            return self.listens_at(NODE_PORT)

        wait_for(ready, f"fission-node of {self.name} listens", deadline)

    def ports(self) -> list[int]:
        """Return the open TCP ports of this host that other hosts reach, without connecting to them."""
        lines = system("ip", "netns", "exec", self.space, "ss", "-Hltn").splitlines()
        places = [line.split()[3].rpartition(":") for line in lines]
        return [int(port) for address, _, port in places if not address.startswith("127.")]

    def listens_at(self, port: int) -> bool:
        """Whether this TCP port of the host is open."""
        return port in self.ports()

    # -- faults ------------------------------------------------------------------------------------------------

    def kill(self) -> list[int]:
        """Kill every process on this host, as a power failure does; return their ids."""
        victims = self.pids()
        names.clear(self.space)
        self._reap()
        return victims

    def freeze(self, pids: Iterable[int] | None = None) -> list[int]:
        """Stop all processes of this host, or the given ones, by SIGSTOP; `thaw` continues them."""
        return self._signal(signal.SIGSTOP, pids)

    def thaw(self, pids: Iterable[int] | None = None) -> list[int]:
        """Continue the processes that `freeze` has stopped."""
        return self._signal(signal.SIGCONT, pids)

    def _signal(self, number: signal.Signals, pids: Iterable[int] | None) -> list[int]:
        if pids is None:
            return names.send_signal(self.space, number)
        chosen = list(pids)
        for pid in chosen:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return chosen

    def link_down(self) -> None:
        """Disconnect the cable at the switch: packets are lost without an error at the host."""
        system("ip", "-n", self._switch, "link", "set", self._port, "down")

    def link_up(self) -> None:
        """Connect the cable again."""
        system("ip", "-n", self._switch, "link", "set", self._port, "up")

    def slow(self, rate: str = "10mbit") -> None:
        """Limit the rate of the link in both directions (a rate of `tc`); `fast` removes the limit."""
        for space, device in ((self.space, LINK), (self._switch, self._port)):
            system(
                *("tc", "-n", space, "qdisc", "replace", "dev", device, "root"),
                *("tbf", "rate", rate, "burst", "32kb", "latency", "200ms"),
            )

    def fast(self) -> None:
        """Remove the limit."""
        for space, device in ((self.space, LINK), (self._switch, self._port)):
            with suppress(LabError):  # there was none
                system("tc", "-n", space, "qdisc", "delete", "dev", device, "root")

    def drop(self, percent: int = 100, *, incoming: bool = True, outgoing: bool = True) -> None:
        """Drop packets of the link at random, in these directions; `undrop` ends that."""
        chosen = "drop" if percent >= 100 else f"numgen random mod 100 < {percent} drop"
        lines = ["table inet lab {"]
        if incoming:
            lines.append(f'chain i {{ type filter hook input priority 0; iifname "{LINK}" {chosen}; }}')
        if outgoing:
            lines.append(f'chain o {{ type filter hook output priority 0; oifname "{LINK}" {chosen}; }}')
        self.undrop()
        system("ip", "netns", "exec", self.space, "nft", "-f", "-", given="\n".join([*lines, "}", ""]))

    def undrop(self) -> None:
        """Drop no more packets."""
        with suppress(LabError):  # there was nothing
            system("ip", "netns", "exec", self.space, "nft", "delete", "table", "inet", "lab")

    def cut_off(
        self, other: "Host", *, incoming: bool = True, outgoing: bool = True, ports: Sequence[int] = ()
    ) -> None:
        """Drop the packets between this host and another one; `rejoin` ends that. Both reach the rest.

        With `ports` only those are dropped that go to these TCP ports of the other host.
        """
        to = f"tcp dport {{ {', '.join(map(str, ports))} }}" if ports else ""
        lines = [f"table inet {_cut(other)} {{"]
        if incoming:
            lines.append(f"chain i {{ type filter hook input priority 0; ip saddr {other.address} drop; }}")
        if outgoing:
            lines.append(
                f"chain o {{ type filter hook output priority 0; ip daddr {other.address} {to} drop; }}"
            )
        system("ip", "netns", "exec", self.space, "nft", "-f", "-", given="\n".join([*lines, "}", ""]))

    def rejoin(self, other: "Host") -> None:
        """Drop no more packets between this host and the other one."""
        system("ip", "netns", "exec", self.space, "nft", "delete", "table", "inet", _cut(other))

    # -- end ---------------------------------------------------------------------------------------------------

    def remove(self) -> None:
        """Kill every process of the host and remove the host."""
        try:
            names.remove(self.space)
        finally:
            self._reap()

    def _reap(self) -> None:
        for one in self.started:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(1)


def _cut(other: Host) -> str:
    """The name of the table that cuts a host off from another one."""
    return f"cut_{other.name}"
