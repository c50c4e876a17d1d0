"""Emulators in a project of their own; no process is left when a test has ended."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fission.core import base
from fission.emulate import emulate
from fission.emulate.jobs import JobEmulator
from fission.project.scaffold import start_project

sys.path.insert(0, str(Path(__file__).parent))  # the jobs' processes import emulated_jobs from here

Make = Callable[..., JobEmulator]


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; the working directory."""
    root = start_project(tmp_path, "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    """`emulate`, whose emulators end with the test, with all they have."""
    base.reset()
    before = set(os.listdir("/proc/self/fd"))
    made: list[tuple[JobEmulator, int]] = []

    def make(job: Any, **options: Any) -> JobEmulator:
        emulator = emulate(job, **({"timeout": 30} | options))
        made.append((emulator, emulator.pid))
        return emulator

    yield make
    for emulator, _ in made:
        emulator.kill()
    base.reset()
    assert all(gone(pid) for _, pid in made)
    assert set(os.listdir("/proc/self/fd")) <= before, "files are left open"
