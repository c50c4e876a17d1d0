"""`python -m benchmarks.planning`: see `cli.py`."""

import sys

from benchmarks.planning.cli import main

if __name__ == "__main__":
    sys.exit(main())
