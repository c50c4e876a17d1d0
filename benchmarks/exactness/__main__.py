"""`python -m benchmarks.exactness`: see `cli.py`."""

import sys

from benchmarks.exactness.cli import main

if __name__ == "__main__":
    sys.exit(main())
