"""Network namespaces: their names, their processes, and the removal of both.

A name contains the id of the process that created it, so that leftovers of a crashed test run can be recognized.
"""

import itertools
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from lab.shell import LabError, system, wait_for

_ROOM = Path("/run/netns")
_NAME = re.compile(r"fission-(\d+)-\d+-\w+")
_counter = itertools.count(1)


def fresh_prefix() -> str:
    """Return an unused prefix for names."""
    return f"fission-{os.getpid()}-{next(_counter)}-"


def make(name: str) -> None:
    """Make a namespace in which the loopback works."""
    system("ip", "netns", "add", name)
    system("ip", "-n", name, "link", "set", "lo", "up")


def inhabitants(name: str) -> list[int]:
    """Return the ids of all processes in a namespace."""
    try:
        place = (_ROOM / name).stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):  # ended, or a zombie
                home = os.stat(f"/proc/{entry.name}/ns/net")
                if (home.st_dev, home.st_ino) == (place.st_dev, place.st_ino):
                    found.append(int(entry.name))
    return found


def send_signal(name: str, number: signal.Signals) -> list[int]:
    """Send a signal to every process in a namespace; return their ids."""
    found = inhabitants(name)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return found


def clear(name: str) -> None:
    """Kill every process in a namespace; returns when none is left."""
    wait_for(lambda: not send_signal(name, signal.SIGKILL), f"no process is left in {name}", 10)


def remove(name: str) -> None:
    """Kill every process in a namespace and delete it, with its links."""
    try:
        clear(name)
    finally:
        if (_ROOM / name).exists():
            system("ip", "netns", "delete", name)


def sweep() -> list[str]:
    """Remove the namespaces of test runs that are gone; return their names."""
    if not _ROOM.is_dir():
        return []
    removed = []
    for name in sorted(entry.name for entry in _ROOM.iterdir()):
        match = _NAME.fullmatch(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            with suppress(LabError, OSError):  # another test run may be sweeping as well
                remove(name)
                removed.append(name)
    return removed
