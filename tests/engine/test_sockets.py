"""Folders of sockets that were left behind go, and nothing of them stays open."""

import os
from pathlib import Path

import pytest

from fission.engine.locks import lock_folder
from fission.engine.sockets import socket_folder


def test_folders_that_were_left_behind_leave_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fission.engine.sockets.tempfile.gettempdir", lambda: "/tmp")
    prefix = f"fission-test-{os.getpid()}-"
    monkeypatch.setattr("fission.engine.sockets._PREFIX", prefix)
    old = [Path(f"/tmp/{prefix}{number}") for number in range(3)]
    used = Path(f"/tmp/{prefix}used")
    for folder in (*old, used):
        folder.mkdir()
    assert lock_folder(used)
    try:
        before = len(os.listdir("/proc/self/fd"))
        new = socket_folder()
        assert len(os.listdir("/proc/self/fd")) == before + 1  # the lock of the new one
        assert not any(folder.exists() for folder in old)
        assert used.exists()
        new.rmdir()
    finally:
        used.rmdir()
