"""The reaper's own process: `python -I -S reaper_process.py MARK`. It imports next to nothing, as it only waits.

It ends when its stdin is closed, which its owner holds, after everything that has the mark.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

MARK = "FISSION_HOST"
"""The environment variable that job processes and their children inherit."""

GRACE = 1.0
"""Seconds that job processes have to end by themselves, including `teardown()`."""

_LONGEST = 5.0
_PAUSE = 0.05


def end_all(ours: Callable[[str], bool], grace: float = 0.0) -> int:
    """Kill every process with this mark, and its group, after `grace` seconds; return their number."""
    begin = time.monotonic()
    groups: set[int] = set()
    killed: set[int] = set()
    while True:
        found = _marked(ours)
        groups |= set(found.values())
        now = time.monotonic()
        if now - begin >= grace:
            killed |= set(found)
            _kill(found, groups)
        if now - begin > grace + _LONGEST or (not found and not any(map(_lives, groups))):
            return len(killed)
        time.sleep(_PAUSE)


def _marked(ours: Callable[[str], bool]) -> dict[int, int]:
    """Return the processes with this mark, and their groups."""
    found = {}
    start = f"{MARK}=".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        # A process that ends meanwhile, or belongs to another user, is skipped.
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(start) and ours(entry[len(start) :].decode(errors="replace")):
                    found[int(name)] = os.getpgid(int(name))
    return found


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _kill(found: dict[int, int], groups: set[int]) -> None:
    own = os.getpgid(0)
    for process in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    for group in groups - {own}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _set_title() -> None:
    """Show in `ps` what this process is."""
    sys.path.append(
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
    )  # not with -I -S
    from fission.runtime.process_title import set_title  # noqa: PLC0415 - only now it is found

    set_title("fission-reaper", "fission: reaper")


def main() -> None:
    """Wait for the end of the owner, which holds the other end of stdin; then kill what has the mark."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _set_title()
    mark = sys.argv[1]
    while os.read(0, 1024):
        pass
    end_all(lambda found: found == mark, GRACE)


if __name__ == "__main__":
    main()
