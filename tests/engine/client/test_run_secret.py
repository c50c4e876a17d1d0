"""The secret of a run: kept for a client that takes over, made anew for another run, private."""

import os
from pathlib import Path

import pytest

from fission.engine.client.private.run_secret import NAME, run_secret
from fission.errors import RunError


def test_it_is_the_same_for_a_client_that_takes_over(tmp_path: Path) -> None:
    secret = run_secret(tmp_path, "0a1b")
    assert len(secret) == 32
    assert run_secret(tmp_path, "0a1b") == secret
    assert run_secret(tmp_path, "0a1c") != secret


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run_secret(tmp_path, "0a1b")
    finally:
        os.umask(before)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"\xff",
        b"[]",
        b'{"run": "0a1b", "secret": "short"}',
        b'{"run": "0a1b", "secret": "' + b"x" * 64 + b'"}',
    ],
)
def test_a_damaged_file_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / NAME).write_bytes(damaged)
    secret = run_secret(tmp_path, "0a1b")
    assert len(secret) == 32
    assert run_secret(tmp_path, "0a1b") == secret


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the secret of the run cannot be written"):
        run_secret(tmp_path / "missing", "0a1b")
