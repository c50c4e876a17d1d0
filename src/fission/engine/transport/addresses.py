"""The IP addresses of this machine."""

import errno
import socket

from fission.errors import ConfigError

__all__ = ["require_own_address"]


def require_own_address(address: str, option: str) -> None:
    """Check that sockets can be bound to `address`, which `option` names. Raises ConfigError.

    The first user of an address calls it, so that a typing mistake or a changed lease is reported with the option's name.
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                return  # the listener reports it, with its port
            raise ConfigError(
                f"{address} is no address of this machine",
                where=option,
                hint="`ip -brief address` lists them",
            ) from None
