"""`fission-node --pair`: shows a code, and installs the certificate that a client sends who knows it."""

import asyncio
import os
import pwd
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from fission.errors import ConfigError, UserError
from fission.management.access.signals import not_ignored
from fission.management.node.options import NodeOptions
from fission.pairing.codes import SECONDS, spaced
from fission.pairing.device import DeviceServer
from fission.pairing.handshake import require_spake2
from fission.security import CertificateError, Role, load_identity
from fission.security.files import PRIVATE, PUBLIC, locked, place_folder, write_file
from fission.security.roles import normal_address

FILES = {"ca.pem": PUBLIC, "cert.pem": PUBLIC, "key.pem": PRIVATE}


def pair_node(options: NodeOptions) -> NodeOptions | None:
    """Wait for a client and install its certificate; return the options with which this process becomes the node.

    None: it is root, and the service's files belong to another account, which is to run it. Raises FissionError.
    """
    require_spake2("--pair")
    if options.security == "off":
        raise UserError("a node without TLS needs no certificate", where="--pair with --security off")
    target = _Target.find(options)
    with _listen(options) as listener:
        options = replace(options, port=listener.getsockname()[1])
        about = {"version": metadata.version("fission"), "name": options.name}
        server = DeviceServer(
            {**about, "address": options.address, "port": options.port},
            target.install,
            partial(_show, options=options),
        )
        client = asyncio.run(_until_signal(server, listener))
    print(f"paired with the client at {client}; the certificate is in {options.certs}", flush=True)
    if target.serves:
        return options
    print("start the service: sudo systemctl restart fission", flush=True)
    return None


def _listen(options: NodeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    try:
        return socket.create_server((options.address, options.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen ({os.strerror(error.errno or 0)})",
            where=f"{options.address} port {options.port}",
            hint="If the node service runs already, stop it for the pairing: sudo systemctl stop fission",
        ) from None


async def _until_signal(server: DeviceServer, listener: socket.socket) -> str:
    """Serve; SIGTERM and SIGHUP end it like Ctrl+C, so that nothing unfinished stays."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this runs as a task
    for number in not_ignored(signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await server.serve(listener)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _show(code: str, number: int, options: NodeOptions) -> None:
    if number > 1:
        print("the last code was used without success")
    port = f" --port {options.port}" if options.port != NodeOptions().port else ""
    print(f"pairing code: {spaced(code)}   (good for {SECONDS / 60:.0f} minutes and one try)")
    print(f"on the client: fission pair {options.address}{port}", flush=True)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the certificate goes, whose it becomes (None: this user), and whether this process serves afterwards."""

    folder: Path
    address: str
    owner: tuple[int, int] | None

    @classmethod
    def find(cls, options: NodeOptions) -> "_Target":
        """Check before a code is shown that the certificate can be installed. Raises CertificateError."""
        parent = options.certs.absolute().parent
        try:
            parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(parent, error) from None
        if not os.access(parent, os.W_OK | os.X_OK):
            raise _not_writable(parent, PermissionError(13, "Permission denied"))
        return cls(parent / options.certs.name, options.address, _owner(options.root))

    @property
    def serves(self) -> bool:
        """Whether this process is of the account of the service."""
        return self.owner is None

    def install(self, files: Mapping[str, str]) -> dict[str, object]:
        """Check the certificate, put it in its place at once, and return what the client is told. Raises CertificateError."""
        if set(files) != set(FILES):
            raise CertificateError("the client has not sent a certificate", found=", ".join(files)[:100])
        contents = {name: text.encode() for name, text in files.items()}
        try:
            with (
                locked(self.folder.parent),
                tempfile.TemporaryDirectory(prefix=".pairing-", dir=self.folder.parent) as checked,
            ):
                for name, mode in FILES.items():
                    write_file(Path(checked) / name, contents[name], mode, sync=False)
                identity = load_identity(Path(checked), Role.NODE)
                if normal_address(self.address) not in identity.addresses:
                    raise CertificateError(
                        "the certificate is for another address",
                        expected=self.address,
                        found=", ".join(identity.addresses)[:100],
                    )
                place_folder(
                    self.folder,
                    {name: (contents[name], mode) for name, mode in FILES.items()},
                    owner=self.owner,
                )
        except OSError as error:
            raise _not_writable(self.folder, error) from None
        return {"serves": self.serves}


def _owner(root: Path) -> tuple[int, int] | None:
    """Return the account of the node's files if that is not root, and we are."""
    if os.geteuid() != 0 or not root.exists() or root.stat().st_uid == 0:
        return None
    account = pwd.getpwuid(root.stat().st_uid)
    return account.pw_uid, account.pw_gid


def _not_writable(path: Path, error: OSError) -> CertificateError:
    program = " ".join(["sudo", sys.argv[0] if sys.argv[0].startswith("/") else "fission-node", "--pair"])
    return CertificateError(
        f"the certificate cannot be installed there ({error.strerror})",
        where=str(path),
        hint=f"Run it as root, with the options of the service: {program}",
    )
