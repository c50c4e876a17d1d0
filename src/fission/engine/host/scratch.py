"""Temporary folders that belong to one process; those of killed processes are removed by the next one."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fission.engine.files.locks import lock_folder, locked

EMBEDDED = "fission-embedded-"
"""The prefix of the folders of embedded clusters."""


def scratch_folder(prefix: str, parent: str = "") -> Path:
    """Create a private folder that is locked until this process ends; the caller removes it.

    Folders of this prefix without a lock belonged to killed processes and are removed. Raises OSError.
    """
    return _new(prefix, parent or tempfile.gettempdir(), lock_folder)


@contextlib.contextmanager
def scratch(prefix: str, parent: str = "") -> Iterator[Path]:
    """Provide such a folder inside a `with` block. Raises OSError."""
    with contextlib.ExitStack() as stack:
        folder = _new(
            prefix, parent or tempfile.gettempdir(), lambda folder: stack.enter_context(locked(folder))
        )
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the next process removes what is left


def _new(prefix: str, parent: str, lock: Callable[[Path], bool]) -> Path:
    """Remove abandoned folders, create a folder and lock it."""
    for old in Path(parent).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if old.stat().st_uid == os.getuid():
                with locked(old) as ours:
                    if ours:
                        shutil.rmtree(old)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # another process may have removed it as abandoned before it was locked
        with contextlib.suppress(FileNotFoundError):
            if lock(folder) and folder.exists():
                return folder
