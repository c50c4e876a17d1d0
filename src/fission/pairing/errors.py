"""Errors of pairing; leaves of the tree in `fission.errors`."""

from fission.errors import RunError

__all__ = ["PairingError", "WrongCodeError"]


class PairingError(RunError):
    """The pairing cannot go on: the connection is closed, and nothing was installed."""


class WrongCodeError(PairingError):
    """The other side has used another code, or somebody between the two has changed a message. The code is used up."""
