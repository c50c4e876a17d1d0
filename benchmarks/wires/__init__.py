"""The chain of FISSION as it runs between machines: over TCP, in clear text and inside TLS."""
