"""`python -m benchmarks.failover`: see `cli.py`."""

import sys

import benchmarks.kits  # noqa: F401 - makes the lab importable
from benchmarks.failover.cli import main

if __name__ == "__main__":
    sys.exit(main())
