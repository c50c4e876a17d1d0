"""The working directory of an emulated job: `.emulate/<id>` in the project."""

import fcntl
import os
import shutil
from itertools import count
from pathlib import Path

from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.errors import ProjectError
from fission.project.job_files.dependencies import install_dependencies
from fission.project.scaffold import MANAGE

__all__ = ["JobFolder", "find_project"]


def find_project(start: Path) -> Path | None:
    """Return the nearest project: this folder, or one above it."""
    for folder in (start, *start.parents):
        try:
            if "fission" in (folder / MANAGE).read_text(encoding="utf-8", errors="replace"):
                return folder
        except OSError:
            continue
    return None


class JobFolder:
    """The working directory of one emulated job: has only its dependencies, and is locked until `release`.

    While another emulator uses `.emulate/<id>`, it is `.emulate/<id>-2`, and so on. The files of the job stay
    until the next emulator uses the folder. Raises ProjectError when it cannot be written.
    """

    def __init__(self, root: Path, job: BaseJob, network: Network) -> None:
        try:
            base = root / ".emulate"
            base.mkdir(exist_ok=True)
            (base / ".gitignore").write_text("*\n", encoding="utf-8")
            self.path, self._lock = _take(base, job.id)
        except OSError as error:
            raise ProjectError(
                f"the folder of the emulated job cannot be prepared: {error.strerror}",
                where=str(error.filename or root),
                hint="It is emptied before every emulation; check who owns it, and the room on its disk",
            ) from error
        try:
            install_dependencies(network, job, self.path)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Unlock the folder for other emulators."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _take(base: Path, job: int) -> tuple[Path, int]:
    """Lock and empty the first folder that is not in use."""
    for number in count(1):
        path = base / (str(job) if number == 1 else f"{job}-{number}")
        path.mkdir(exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        return path, lock
    raise AssertionError  # count() has no end
