"""The benchmark of a tap runs to its end, with short windows, and says both ratios."""

import os
import subprocess
import sys

import pytest

from benchmarks.subjects import ROOT

pytestmark = pytest.mark.long


def test_both_kinds_of_blocks_are_measured() -> None:
    words = [sys.executable, "-m", "benchmarks.tap", "--runs", "1", "--seconds", "1"]
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode in (0, 1)  # the ratio of one pair says little
    assert done.stdout.count("with a tap / without") == 2, done.stderr
