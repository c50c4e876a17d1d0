"""The kit of simulated wires and models is imported by the property tests and by the tests of the mutants."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
