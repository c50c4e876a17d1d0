"""Folders that were left behind go, and nothing of them stays open."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fission.engine.files.locks import lock_folder, lock_holder
from fission.engine.host.scratch import scratch, scratch_folder
from fission.engine.host.socket_folder import socket_folder


def test_folders_that_were_left_behind_leave_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fission.engine.host.socket_folder.tempfile.gettempdir", lambda: "/tmp")
    prefix = f"fission-test-{os.getpid()}-"
    monkeypatch.setattr("fission.engine.host.socket_folder._PREFIX", prefix)
    old = [Path(f"/tmp/{prefix}{number}") for number in range(3)]
    used = Path(f"/tmp/{prefix}used")
    for folder in (*old, used):
        folder.mkdir()
    assert lock_holder(used) == 0
    assert lock_folder(used)
    assert lock_holder(used) == os.getpid()
    try:
        before = len(os.listdir("/proc/self/fd"))
        new = socket_folder()
        assert len(os.listdir("/proc/self/fd")) == before + 1  # the lock of the new one
        assert not any(folder.exists() for folder in old)
        assert used.exists()
        shutil.rmtree(new)
    finally:
        shutil.rmtree(used)


def test_a_folder_outlives_no_owner_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that leaves the block, nor, once another one comes, one that is killed with files in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    with scratch("zero-"):
        assert len(os.listdir("/proc/self/fd")) == before + 1
    assert len(os.listdir("/proc/self/fd")) == before
    with scratch("one-") as mine:
        code = "import sys, fission.engine.host.scratch as s; print(s.scratch_folder('one-'), flush=True); sys.stdin.read()"
        other = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
        assert other.stdin is not None
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        (left / "sub").mkdir()
        (left / "sub/file").write_text("something")
        assert scratch_folder("one-").exists()
        assert left.exists()  # its owner lives
        other.send_signal(signal.SIGKILL)
        other.wait(30)
        other.stdin.close()
        other.stdout.close()
        scratch_folder("one-")
        assert mine.exists()
        assert not left.exists()
    assert not mine.exists()
