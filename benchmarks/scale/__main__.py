"""`python -m benchmarks.scale`: see `cli.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))  # the lab is a kit of the tests

from benchmarks.scale.cli import main

if __name__ == "__main__":
    sys.exit(main())
