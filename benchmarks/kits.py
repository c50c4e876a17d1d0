"""Importing this makes the kits of the tests importable: the lab, and the chaos kit."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
