"""Pairs a new device with a client by a short code, so that nobody copies certificates by hand (ADR 23).

`codes`, `frames`, `handshake` and `sealing` are the protocol and do no I/O; `device` and `client` carry it over a socket. The
library `spake2` (extra `pair`) is loaded only where it is used.
"""
