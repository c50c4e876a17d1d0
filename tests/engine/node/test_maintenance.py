"""Only what a network has left is removed, and a device is started anew only if that is allowed."""

import asyncio
from pathlib import Path

import pytest

from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.node.maintenance import reboot, remote_root, remove_network
from fission.errors import RunError


def remove(home: Path) -> bool:
    return asyncio.run(remove_network(home, "demo", CheckpointStore(home.parent / ".states")))


def test_the_folder_of_a_network_is_removed(tmp_path: Path) -> None:
    (tmp_path / "demo/.state/1").mkdir(parents=True)
    (tmp_path / "demo/1").mkdir()
    states = tmp_path / ".states/demo/run/1"
    states.mkdir(parents=True)
    assert remove(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
    assert not states.exists()


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "documents"
    other.mkdir()
    assert not remove(other)
    (other / ".state").mkdir()
    (tmp_path / "demo").symlink_to(other)
    assert not remove(tmp_path / "demo")
    assert not remove(tmp_path / "nothing")
    assert other.is_dir()


def test_a_reboot_needs_a_command(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--allow-reboot"):
        reboot("", "10.0.0.2")
    with pytest.raises(RunError, match="cannot be run: No such file"):
        reboot(f"{tmp_path}/nothing --now", "10.0.0.2")


def test_what_is_no_root() -> None:
    assert remote_root({}) == ""
    with pytest.raises(RunError, match="root is no text"):
        remote_root({"root": 3})
