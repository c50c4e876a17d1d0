import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.core import base

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def sampling_rate_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project of the sampling rate offset, which can be imported."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "sampling_rate_offset"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield EXAMPLES / "sampling_rate_offset"
    base.reset()
    for name in [name for name in sys.modules if name.split(".")[0] == "sro"]:
        del sys.modules[name]


@pytest.fixture
def separation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the separation project that can be imported; the working directory is its source folder."""
    project = tmp_path / "project"
    shutil.copytree(
        EXAMPLES / "separation", project, ignore=shutil.ignore_patterns("simulation", "__pycache__")
    )
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.chdir(project / "separation" / "source")
    yield project
    base.reset()
    for name in [name for name in sys.modules if name.split(".")[0] in ("separation", "reference")]:
        del sys.modules[name]
