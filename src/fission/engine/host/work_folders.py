"""The work folders of a network's jobs on one machine: created, emptied, and locked by one service at a time.

A network's home has one folder per job, named by its id, which is the job's working directory; and `.state` with one
folder per job for its checkpoints, and with the run to which each job's files belong.
"""

import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from fission.engine.files.locks import lock_folder
from fission.engine.protocol.interfaces import JobOrder
from fission.errors import RunError
from fission.runtime.checkpointing.writer import write_file


@dataclass(frozen=True, slots=True)
class JobFolders:
    """The working directory of a job, and the folder of its checkpoints."""

    work: Path
    state: Path


def node_work_folder(root: Path, order: JobOrder) -> Path:
    """Return the folder of a network on a node: in its REMOTE_ROOT, or else in the node's own `root`."""
    return files_root(root, order.root) / order.network


def files_root(root: Path, wanted: str) -> Path:
    """Return REMOTE_ROOT, or the node's own `root` where there is none or this service may not write there.

    A service with an account of its own may write to no home of another account, which projects name in REMOTE_ROOT.
    """
    if not wanted:
        return root
    path = Path(wanted).expanduser()
    there = next((one for one in (path, *path.parents) if os.path.exists(one)), path)
    return path if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK) else root


class WorkFolders:
    """The network folders that this process has locked. Its methods block and are thread-safe."""

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}
        self._holding = threading.Lock()

    def prepare(self, home: Path, order: JobOrder) -> JobFolders:
        """Create the folders of a job, without what an earlier run has left, unless the order keeps it.

        A successor in the same run finds what its predecessor has left. Raises RunError.
        """
        spec = order.spec
        if not order.network.isidentifier() or spec.job_id < 1:
            raise RunError(
                "no such job can be", where=order.network, expected="id 1 or more", found=str(spec.job_id)
            )
        states = home / ".state"
        folders = JobFolders(home / str(spec.job_id), states / str(spec.job_id))
        note = states / f"{spec.job_id}.run"
        try:
            states.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._holding:  # a second thread would find the lock taken by the first
                self._hold(home)
            owner = note.read_bytes() if note.is_file() else b""
            same_run = spec.resume and owner == spec.run.encode()
            if not same_run:
                _remove(folders.state)
                if not order.keep:
                    _remove(folders.work)
            for folder in (folders.work, folders.state):
                folder.mkdir(exist_ok=True)
            if owner != spec.run.encode():  # a write that fails must not make a successor empty the folders
                write_file(note, spec.run.encode())
        except OSError as error:
            raise RunError(
                f"the job's folder cannot be prepared: {error.strerror or error}",
                where=str(error.filename or home),
                hint="It is emptied before a run; check who owns it, the room on its disk, and REMOTE_ROOT or --root",
            ) from error
        return folders

    def _hold(self, home: Path) -> None:
        inode = home.stat().st_ino
        if self._held.get(home) == inode:
            return
        if not lock_folder(home):
            raise RunError(
                "another node service or client of this machine runs jobs of the network in this folder",
                where=str(home),
                hint="Two that share a machine need different folders: --root, or another REMOTE_ROOT",
            )
        self._held[home] = inode


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
