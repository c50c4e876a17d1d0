"""Kills leftover job processes after their owner has exited: a small process that waits for the end of its owner.

A job process ends by itself when its owner is gone, but not one that is stopped or hangs, nor the programs that it has
started. The reaper finds all of them by a mark in their environment. A service that starts looks for the marks of those
that were killed together with their reapers.
"""

import hashlib
import subprocess
import sys
import uuid

from fission.engine.host import reaper_process
from fission.engine.host.reaper_process import MARK, end_all


class Reaper:
    """The owner's handle: `start` before the first job, `environment` for each, `close` when all have ended.

    Owners with the same `place` follow one another; `clear` kills what an earlier one has left.
    """

    def __init__(self, place: str) -> None:
        self._place = hashlib.sha256(place.encode()).hexdigest()[:16]
        self._mark = f"{self._place}-{uuid.uuid4().hex[:16]}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that mark a job process."""
        return {MARK: self._mark}

    def start(self) -> None:
        """Start the reaper process unless it runs. Raises OSError when it cannot be started."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-I", "-S", reaper_process.__file__, self._mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )

    def clear(self) -> int:
        """Kill what earlier owners of the place have left; return the number of processes. Blocks."""
        start = f"{self._place}-"
        return end_all(lambda mark: mark.startswith(start) and mark != self._mark)

    def close(self) -> None:
        """Let the reaper kill what is left, and wait for it. Blocks."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None
