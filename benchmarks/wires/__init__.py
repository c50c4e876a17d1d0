"""The chain of FISSION as it runs between machines: over TCP, in clear text and inside TLS."""

import benchmarks.kits  # noqa: F401 - makes the lab importable

KINDS = ("tcp", "tls", "hosts-tcp", "hosts-tls")
"""`hosts`: each job in a network namespace of its own, joined by a bridge (needs root); else on the loopback."""
