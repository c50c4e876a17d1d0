"""Measures this machine, for those who look for what is wrong with it."""

import contextlib
import grp
import os
import pwd
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final

import psutil

from fission.diagnosis.facts import MachineFacts
from fission.diagnosis.machine_rules import DEVICE_GROUPS
from fission.engine.node.batctl import Batctl

__all__ = ["measure_machine", "port_range"]

_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
NETWORKS: Final = Path("/sys/class/net")
_TIMEX_BYTES: Final = 512
"""More than the kernel's `struct timex` has; its first field 0 asks and changes nothing."""
_TIME_ERROR: Final = 5
_SECONDS: Final = 2.0


def measure_machine(folder: Path) -> MachineFacts:
    """Measure this machine; `folder` selects the disk. Blocks for up to about 5 s."""
    memory = psutil.virtual_memory()
    total, free = _disk(folder)
    first, last = port_range()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # what FISSION raises its own limit to
    user, groups, others = _groups()
    return MachineFacts(
        memory_total=memory.total,
        memory_free=memory.available,
        disk_total=total,
        disk_free=free,
        files=1 << 20 if most == resource.RLIM_INFINITY else most,
        clock=_clock(),
        first_port=first,
        last_port=last,
        user=user,
        groups=groups,
        other_groups=others,
        mesh=_mesh(),
    )


def _disk(folder: Path) -> tuple[int, int]:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = psutil.disk_usage(str(folder))
    except OSError:
        return -1, -1
    return usage.total, usage.free


def port_range() -> tuple[int, int]:
    """Return the first and the last port that the system chooses for listeners, -1 if that is not known."""
    try:
        first, last = map(int, _PORTS.read_text().split())
    except (OSError, ValueError):
        return -1, -1
    return first, last


def _clock() -> str:
    """Ask the kernel, and where that is forbidden (ProtectClock= of systemd) systemd."""
    import ctypes  # noqa: PLC0415 - a node service starts without it

    with contextlib.suppress(AttributeError):
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        if state >= 0:
            return "not synchronized" if state == _TIME_ERROR else "synchronized"
    answer = _output("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return {"yes": "synchronized", "no": "not synchronized"}.get(answer, "")


def _output(program: str, *arguments: str) -> str:
    """Return what a program prints, "" if it fails."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _groups() -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the user, its groups, and the groups for devices that are here and that it is not in."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    own = {os.getegid(), *os.getgroups()}
    known = {one.gr_name: one.gr_gid for one in grp.getgrall()}
    groups = tuple(sorted(name for name, number in known.items() if number in own))
    return user, groups, tuple(name for name in DEVICE_GROUPS if name in known and known[name] not in own)


def _mesh() -> str:
    """Return "none" without a mesh, "ok", or why the quality of its links cannot be read."""
    has_interface = any((one / "mesh").is_dir() or one.name == "bat0" for one in _interfaces())
    if not has_interface and shutil.which("batctl") is None:
        return "none"
    problem = Batctl(timeout=_SECONDS).problem()
    if problem and not has_interface:
        return "none"  # the program is installed, and there is no mesh to ask about
    return problem or "ok"


def _interfaces() -> list[Path]:
    try:
        return list(NETWORKS.iterdir())
    except OSError:
        return []
