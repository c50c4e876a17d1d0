"""Machines on a bridge in a network namespace of their own, and the client in that namespace."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab import names
from lab.shell import LabError, system, wait_for
from machinelab.image import image, overlay

CLIENT = "10.77.0.1"
USER = "pi"
PASSWORD = "raspberry"
_BOOT_SECONDS = 90.0
_OPTIONS = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
_SSH = ("ssh", "-o", "ConnectTimeout=5", *(word for option in _OPTIONS for word in ("-o", option)))


@dataclass
class Machine:
    """One machine: `boot`, `run` commands by ssh, `power_off` without warning, `boot` again."""

    name: str
    address: str
    folder: Path
    root: Path
    namespace: str
    key: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def boot(self) -> None:
        """Start the machine; `wait` for it."""
        log = (self.folder / "console.log").open("ab")
        command = [
            *in_group(self.group),
            *inside(self.namespace),
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.root}",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--network-bridge=br0",
            f"--machine={self.name}",
            "--console=pipe",
        ]
        with log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def group(self) -> str:
        """The control group of the machine: without one of its own it would share that of all machines."""
        return f"{self.namespace}-{self.name}"

    def wait(self) -> None:
        """Wait until ssh works. Raises LabError."""
        wait_for(self._answers, f"{self.name} to boot", _BOOT_SECONDS)

    def run(self, command: str, *, seconds: float = 60.0) -> str:
        """Run a command as root; return what it prints. Raises LabError."""
        done = subprocess.run(
            [*inside(self.namespace), *_SSH, "-i", str(self.key), f"root@{self.address}", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise LabError(f"{self.name}: {command}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def power_off(self) -> None:
        """Take the power away: every process of the machine is killed at once."""
        if self.process is None:
            return
        for child in _children(self.process.pid):  # the first process of the machine takes all others with it
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.kill()
        self.process.wait(30)
        self.process = None
        remove_group(self.group)

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            text = (self.folder / "console.log").read_text(encoding="utf-8", errors="replace")
            raise LabError(f"{self.name} did not boot: {text[-500:]}")
        try:
            self.run("true", seconds=10)
        except (LabError, subprocess.TimeoutExpired):
            return False
        return True


class MachineLab:
    """`with MachineLab.up(3) as lab`: booted machines pi1, pi2, ... at 10.77.0.2, ...; everything is gone afterwards."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder = folder
        self.namespace = namespace
        self.key = folder / "key"
        self.machines: list[Machine] = []

    @classmethod
    @contextlib.contextmanager
    def up(cls, count: int) -> Iterator["MachineLab"]:
        """Boot machines and wait until ssh works on all of them. Raises LabError."""
        base = image()
        folder = Path(tempfile.mkdtemp(prefix="fission-machines-"))
        namespace = f"{names.fresh_prefix()}machines"
        lab = cls(folder, namespace)
        try:
            lab.make_network()
            system("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(lab.key))
            for number in range(1, count + 1):
                lab.add(base, number)
            for machine in lab.machines:
                machine.boot()
            for machine in lab.machines:
                machine.wait()
            yield lab
        finally:
            lab.remove()

    def client(self, *command: str) -> list[str]:
        """Return the command line that runs a command on the client, which is this machine inside the namespace."""
        return [*inside(self.namespace), *command]

    def make_network(self) -> None:
        """Create the namespace and its bridge."""
        names.make(self.namespace)
        for command in (
            "ip link add br0 type bridge",
            f"ip addr add {CLIENT}/24 dev br0",
            "ip link set br0 up",
        ):
            system(*inside(self.namespace), *command.split())

    def add(self, base: Path, number: int) -> None:
        """Prepare the system of one machine."""
        address = f"10.77.0.{number + 1}"
        folder = self.folder / f"pi{number}"
        root = overlay(base, folder)
        network = root / "etc/systemd/network/10-host0.network"
        network.parent.mkdir(parents=True, exist_ok=True)
        network.write_text(f"[Match]\nName=host0\n[Network]\nAddress={address}/24\n", encoding="utf-8")
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
        (root / "etc/hostname").write_text(f"pi{number}\n", encoding="utf-8")
        keys = root / "root/.ssh"
        keys.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(f"{self.key}.pub", keys / "authorized_keys")
        system(
            "chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo", USER
        )
        system("chroot", str(root), "chpasswd", given=f"{USER}:{PASSWORD}\n")
        self.machines.append(Machine(f"pi{number}", address, folder, root, self.namespace, self.key))

    def remove(self) -> None:
        """End and remove everything."""
        for machine in self.machines:
            machine.power_off()
        for folder in self.folder.glob("pi*/root"):
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
        names.remove(self.namespace)
        shutil.rmtree(self.folder, ignore_errors=True)


def inside(namespace: str) -> list[str]:
    """Return the beginning of a command line that runs in a network namespace, with the mounts of this machine."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


_GROUPS = Path("/sys/fs/cgroup")


def _hierarchies() -> list[Path]:
    """Return the hierarchies of control groups that systemd uses."""
    split = [_GROUPS / name for name in ("systemd", "unified") if (_GROUPS / name / "cgroup.procs").exists()]
    return split or [_GROUPS]


def in_group(name: str) -> list[str]:
    """Return the beginning of a command line that runs in a new control group."""
    enter = "".join(
        f"mkdir -p {top / name} && echo $$ > {top / name}/cgroup.procs; " for top in _hierarchies()
    )
    return ["sh", "-c", f'{enter}exec "$@"', "sh"]


def remove_group(name: str) -> None:
    """Remove a control group and those below it, once its processes have ended. Raises LabError."""
    for top in _hierarchies():
        wait_for(partial(_removed, top / name), f"the control group {name} to be empty", 10)


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not group.exists()


def _children(pid: int) -> list[int]:
    try:
        return [
            int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        ]
    except OSError:
        return []
