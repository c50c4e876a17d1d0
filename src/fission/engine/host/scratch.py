"""Folders of the temporary directory that belong to one process; what a killed one has left, the next one removes."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fission.engine.files.locks import lock_folder, locked

EMBEDDED = "fission-embedded-"
"""How the folders of embedded clusters begin."""


def scratch_folder(prefix: str, parent: str = "") -> Path:
    """A new folder that is closed to others and locked until this process ends; whoever asks for it removes it.

    Those of this name that a killed process has left behind are removed: nobody holds their lock. Raises OSError.
    """
    return _new(prefix, parent or tempfile.gettempdir(), lock_folder)


@contextlib.contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Such a folder for a while. Raises OSError."""
    with contextlib.ExitStack() as stack:
        folder = _new(prefix, tempfile.gettempdir(), lambda folder: stack.enter_context(locked(folder)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed now, the next one will


def _new(prefix: str, parent: str, lock: Callable[[Path], bool]) -> Path:
    """Tidy up, make a folder and lock it."""
    for old in Path(parent).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if old.stat().st_uid == os.getuid():
                with locked(old) as ours:
                    if ours:
                        shutil.rmtree(old)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # somebody who tidies up at this moment may have taken it for one that was left behind
        with contextlib.suppress(FileNotFoundError):
            if lock(folder) and folder.exists():
                return folder
