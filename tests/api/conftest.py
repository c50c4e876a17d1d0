"""Every test begins without jobs and pipes, and leaves no process and no folder behind."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fission.core import base
from kits.waiting import wait_for


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("fission-api-*"))


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    base.reset()
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # the folders of other tests do not count
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    before = set(psutil.Process().children(recursive=True))
    yield
    base.reset()
    mine = lambda: [one for one in psutil.Process().children(recursive=True) if one not in before]  # noqa: E731
    wait_for(lambda: not mine(), "no process is left")
    assert not _folders()
