"""Private files on a full disk: the old contents stay, and nothing half-written is left."""

from pathlib import Path

import pytest

from fission.security.files import PRIVATE, PUBLIC, place_folder, replace_file, write_file
from kits.disks import no_writes


def test_a_new_file_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    with no_writes(), pytest.raises(OSError, match="too large"):
        write_file(tmp_path / ".gitignore", b"*\n", PUBLIC)
    assert not list(tmp_path.iterdir())
    write_file(tmp_path / ".gitignore", b"*\n", PUBLIC)


def test_the_old_contents_stay(tmp_path: Path) -> None:
    replace_file(tmp_path / "secret", b"old", PRIVATE)
    place_folder(tmp_path / "node", {"cert.pem": (b"old", PUBLIC), "key.pem": (b"old", PRIVATE)})
    with no_writes():
        with pytest.raises(OSError, match="too large"):
            replace_file(tmp_path / "secret", b"new", PRIVATE)
        with pytest.raises(OSError, match="too large"):
            place_folder(tmp_path / "node", {"cert.pem": (b"new", PUBLIC), "key.pem": (b"new", PRIVATE)})
    assert {path.name for path in tmp_path.rglob("*")} == {"secret", "node", "cert.pem", "key.pem"}
    assert {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == {b"old"}
