"""Nodes announce themselves in the local network by mDNS (RFC 6762), and clients find them (DNS-SD, RFC 6763).

An announcement is a hint from anybody in the network, and nothing is trusted because of it: `authority` shakes hands with
what was found. The library `zeroconf` (extra `discover`) is loaded only where it is used.
"""
