"""`fission-node` and `fission node`: check the options and the certificate, then become the node service.

The command line, `cryptography` and the list of installed packages would take a third of the memory of a node service.
So the process replaces itself (exec) by `management.node.serve`, and keeps its process id.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from fission.engine.protocol.versions import installed_versions
from fission.engine.transport.addresses import require_own_address
from fission.errors import ConfigError
from fission.management.node.log import start_log
from fission.management.node.options import NodeOptions, read_options
from fission.management.node.start import service_command
from fission.security import CertificateError, Role, load_identity
from fission.security.roles import normal_address

_log = logging.getLogger("fission.node")


def node_command(
    given: Mapping[str, object], config: Path | None, *, lifeline: bool = False, pair: bool = False
) -> int:
    """Replace this process by the service; with `pair` get a certificate first.

    Return the exit code where another account runs the service. Raises UserError when the service cannot start.
    """
    options = read_options(given, config)
    start_log(options.log_level, options.log)
    require_own_address(options.address, "--address")
    if options.announce:
        from fission.discovery.mdns import require_zeroconf  # noqa: PLC0415 - rarely needed

        require_zeroconf("--announce")
    if pair:
        from fission.management.node.pairing import pair_node  # noqa: PLC0415 - once in the life of a device

        paired = pair_node(options)
        if paired is None:
            return 0
        options = paired
    _check_identity(options)
    try:
        options.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be created: {error.strerror}", where=f"--root {options.root}"
        ) from None
    return _become(service_command(options, installed_versions(), lifeline=lifeline))


def _become(command: list[str]) -> NoReturn:
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606 - a module of this package


def _check_identity(options: NodeOptions) -> None:
    """Log a warning about the certificate, if there is one. Raises CertificateError when it cannot be used."""
    if options.security == "off":
        _log.warning(
            "SECURITY IS OFF: any machine that can reach %s port %d can run programs as this user and read all blocks",
            options.address,
            options.port,
        )
        return
    if not options.certs.exists():
        raise CertificateError(
            "this node has no certificate",
            where=str(options.certs),
            hint=f"Make it on the client with `fission certs --node {options.address}`, and copy its folder"
            f" certs/nodes/{options.address} to {options.certs} on this node; or pair the device: fission-node --pair",
        )
    identity = load_identity(options.certs, Role.NODE)
    if identity.warning():
        _log.warning("%s", identity.warning())
    if normal_address(options.address) not in identity.addresses:
        raise CertificateError(
            "the certificate is for another address; clients would refuse this node",
            where=str(identity.cert),
            expected=options.address,
            found=", ".join(identity.addresses) or "no address",
            hint=f"Serve at its address, with --address, or make one: `fission certs --node {options.address}`",
        )
