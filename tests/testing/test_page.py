"""The page "Test a job" works as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fission.project.scaffold import start_network, start_project

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-a-job.md"
FENCE = re.compile(r'^```python(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def root(tmp_path):
    """A project with the files of the page."""
    root = start_project(tmp_path, "project")
    start_network(root, "demo")
    for title, body in FENCE.findall(PAGE.read_text()):
        if title:
            (root / title).parent.mkdir(exist_ok=True)
            (root / title).write_text(body)
    return root


def python(root, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_programs(root):
    programs = [body for title, body in FENCE.findall(PAGE.read_text()) if not title]
    for number, body in enumerate(programs):
        (root / f"program{number}.py").write_text(body)
    assert len(programs) == 2
    assert python(root, "program0.py") == "[42]\n"
    assert "packed" in python(root, "program1.py")


def test_its_tests(root):
    pytest_run = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "fission.testing.plugin",
        "-p",
        "no:cacheprovider",
        "demo/tests",
    ]
    assert "3 passed, 1 skipped" in python(root, *pytest_run)
    assert "4 passed" in python(root, *pytest_run, "--runslow")
