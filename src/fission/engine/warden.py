"""Outlives whoever runs jobs, to end what is left of them: a small process that waits for the end of its owner.

A job process ends by itself when its owner is gone, but not one that is stopped or hangs, nor the programs that it has
started. The warden finds all of them by a mark in their environment. A service that starts looks for the marks of those
that were killed together with their wardens.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

MARK = "FISSION_HOST"
"""The environment variable that job processes, and what they start, inherit."""

GRACE = 1.0
"""Seconds that job processes have to end by themselves, `teardown()` and all."""

_LONGEST = 5.0
_PAUSE = 0.05


class Warden:
    """The owner's handle: `start` before the first job, `environment` for each, `close` when all have ended.

    Owners with the same `place` follow one another: what an earlier one has left behind is ended by `clear`.
    """

    def __init__(self, place: str) -> None:
        self._place = hashlib.sha256(place.encode()).hexdigest()[:16]
        self._mark = f"{self._place}-{uuid.uuid4().hex[:16]}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of a job process must have."""
        return {MARK: self._mark}

    def start(self) -> None:
        """See to it that there is a warden. Raises OSError when it cannot be started."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-I", "-S", __file__, self._mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )

    def clear(self) -> int:
        """End what earlier owners of the place have left behind; return how many processes that were. Blocks."""
        start = f"{self._place}-"
        return end_all(lambda mark: mark.startswith(start) and mark != self._mark)

    def close(self) -> None:
        """Let the warden end what is left, and wait for it. Blocks."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None


def end_all(ours: Callable[[str], bool], grace: float = 0.0) -> int:
    """End every process whose mark is ours, with its group, after `grace`; return how many there were."""
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
    """All processes whose mark is ours, and their groups."""
    found = {}
    start = f"{MARK}=".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        # One that ends in between, or belongs to somebody else, is none of ours.
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


def main() -> None:
    """Wait for the end of the owner, who holds the other end of stdin; then end what has our mark."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = sys.argv[1]
    while os.read(0, 1024):
        pass
    end_all(lambda found: found == mark, GRACE)


if __name__ == "__main__":
    main()
