"""Which files of a project a module reads when it is imported."""

from pathlib import Path

import pytest

from fission.project.job_files.imports import files_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "net/__init__.py": "",
        "net/config.py": "from net.jobs.first import First",
        "net/jobs/__init__.py": "",
        "net/jobs/first.py": "import numpy\nfrom net.tools import scale\nfrom . import second",
        "net/jobs/second.py": "from ..tools.deep import x as y",
        "net/jobs/alone.py": "import os, sys",
        "net/tools/__init__.py": "",
        "net/tools/scale.py": "def f():\n    import shared.late",
        "net/tools/deep.py": "from net.jobs import first",  # a circle
        "shared/__init__.py": "",
        "shared/late.py": "",
        "shared/other.py": "",
        "broken.py": "def (",
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


EVERYWHERE = {"net/__init__.py", "net/jobs/__init__.py"}


def test_imports_of_imports_count(root: Path) -> None:
    assert files_of(root, "net.jobs.first") == EVERYWHERE | {
        "net/jobs/first.py",
        "net/jobs/second.py",
        "net/tools/__init__.py",
        "net/tools/scale.py",
        "net/tools/deep.py",
        "shared/__init__.py",
        "shared/late.py",
    }


def test_a_module_that_imports_nothing(root: Path) -> None:
    assert files_of(root, "net.jobs.alone") == EVERYWHERE | {"net/jobs/alone.py"}


def test_modules_that_are_not_there_or_cannot_be_read(root: Path) -> None:
    assert files_of(root, "numpy") == frozenset()
    assert files_of(root, "broken") == {"broken.py"}
