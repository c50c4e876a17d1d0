"""`python -m fission.node`: the node service, the same as the program `fission-node`."""

import sys

from fission.management.node import main

if __name__ == "__main__":
    sys.exit(main())
