"""The chain of FISSION as it runs between machines: over TCP, in clear text and inside TLS."""

import sys
from pathlib import Path

KINDS = ("tcp", "tls", "hosts-tcp", "hosts-tls")
"""`hosts`: each job in a network namespace of its own, joined by a bridge (needs root); else on the loopback."""

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))  # the lab is made for tests
