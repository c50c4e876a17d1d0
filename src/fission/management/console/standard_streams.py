"""Standard streams of a command that was started without some of them (`fission run demo >&-`, some service managers)."""

import os
import sys

__all__ = ["open_standard_streams"]

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_standard_streams() -> None:
    """Open the null device in the place of standard streams that are closed.

    Without it, Python has None in their place, and the next file or socket that is opened would become the standard output.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):  # the lowest free descriptor
        os.set_inheritable(number, True)
    os.close(number)
    for descriptor, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the process ends
            setattr(sys, name, stream)
