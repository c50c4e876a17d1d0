"""A folder is locked by one process at a time, and only its owner can hold the lock."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fission.engine.files.locks import LOCK_FILE, is_locked, lock_folder, lock_holder, locked


def test_a_lock_on_the_folder_itself_does_not_count(tmp_path: Path) -> None:
    """Every user who may read a folder can lock it: that must not be the lock of a network."""
    tmp_path.chmod(0o755)
    stranger = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with locked(tmp_path) as ours:
            assert ours
    finally:
        os.close(stranger)


def test_only_the_owner_can_open_the_lock(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        with locked(tmp_path):
            mode = (tmp_path / LOCK_FILE).stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o600


def test_a_lock_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that several users may write to, another user can make the file before the owner."""
    tmp_path.chmod(0o777)
    (tmp_path / LOCK_FILE).touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        lock_folder(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        lock_folder(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_another_process_is_seen_and_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    assert not is_locked(tmp_path)
    code = "import sys; from pathlib import Path; from fission.engine.files.locks import lock_folder; "
    code += "print(lock_folder(Path(sys.argv[1])), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert is_locked(tmp_path)
        assert lock_holder(tmp_path) == other.pid
        assert not lock_folder(tmp_path)
        other.kill()
    assert not is_locked(tmp_path)
    assert lock_holder(tmp_path) == 0
    assert (tmp_path / LOCK_FILE).exists() == (mode != 0o700)
