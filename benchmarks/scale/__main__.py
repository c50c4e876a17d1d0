"""`python -m benchmarks.scale`: see `cli.py`."""

import sys

import benchmarks.kits  # noqa: F401 - makes the lab importable
from benchmarks.scale.cli import main

if __name__ == "__main__":
    sys.exit(main())
