"""Wireless embedding: blocks onto nodes, data over hops, transmissions into TDMA slots. The public face is `fission.plan`."""
