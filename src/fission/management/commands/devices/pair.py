"""`fission pair`: gives a device that shows a code its certificate."""

import datetime as dt
import hashlib
import ipaddress
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from fission.deployment.deployment import CERTIFICATE_FILES
from fission.deployment.node_list import add_node, read_list
from fission.discovery.announcement import safe_text
from fission.engine.protocol.versions import fit_together
from fission.errors import UserError
from fission.management.commands.devices.certs import DAYS
from fission.management.commands.devices.deploy_check import verify
from fission.management.console.exit_codes import print_error
from fission.pairing.client import pair
from fission.pairing.codes import DIGITS, TRIES, read_code
from fission.pairing.errors import PairingError, WrongCodeError
from fission.pairing.handshake import require_spake2
from fission.security.roles import normal_address
from fission.security.store import CertificateStore, NodeNames


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What the user wants. `code` "": ask for it; `node_list`: add the node there."""

    port: int
    certs: Path
    code: str = ""
    node_list: Path | None = None


def pair_command(host: str, options: PairOptions) -> int:
    """Pair a device and return the exit code. Raises UserError, PairingError, CertificateError."""
    require_spake2("fission pair")
    if options.node_list is not None:
        read_list(options.node_list)  # a list that cannot be read is found before anything is made
    asked = not options.code
    if asked and not sys.stdin.isatty():
        raise UserError("there is no terminal to ask for the code", hint="Add --code CODE")
    store = CertificateStore(options.certs)
    store.update((), days=DAYS, renew=False, now=dt.datetime.now(dt.UTC))
    work = _Pairing(host, options, store)
    for left in reversed(range(TRIES)):
        try:
            work.attempt(_ask(host) if asked else _checked(options.code))
            return 0
        except WrongCodeError as error:
            if not asked or not left:
                raise
            print_error(str(error))
    return 1


@dataclass
class _Pairing:
    host: str
    options: PairOptions
    store: CertificateStore
    address: str = field(default="", init=False)

    def attempt(self, code: str) -> None:
        """Pair with this code, and see whether the node can be used."""
        options = self.options
        peer, result = pair(self.host, options.port, code, self._about(), self._certify)
        if "error" in result:
            raise PairingError(
                f"the device could not install its certificate: {safe_text(str(result['error']))}",
                where=self.host,
                hint="Its terminal has the whole reason",
            )
        name = self._name(safe_text(peer.get("name", "")))
        print(f"{name} at {self.address} has its certificate, valid for {DAYS} days", flush=True)
        if options.node_list is not None:
            added = add_node(options.node_list, name, self.address, ())
            print(f"{'added to' if added else 'is already in'} {options.node_list}", flush=True)
        if result.get("serves") is True:
            verify(self.host, self.address, options.port, options.certs)
            print("it serves as a node, and accepts this client", flush=True)
        else:
            print("next: start the service on the device: sudo systemctl restart fission", flush=True)

    def _name(self, said: str) -> str:
        """Return the name of the node, which no other one of the node list has."""
        listed = [] if self.options.node_list is None else read_list(self.options.node_list)
        used = {node.name for node in listed if node.ip != self.address}
        name = said.lstrip("# ") or self.address
        return f"{name}-{self.address}" if name in used else name

    def _about(self) -> dict[str, str | int]:
        authority = (self.store.authority / "ca.pem").read_text(encoding="ascii")
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).hexdigest()
        return {"version": metadata.version("fission"), "cluster": digest}

    def _certify(self, device: Mapping[str, str]) -> dict[str, str]:
        """Make the certificate of a device that has proved to know the code. Raises UserError, PairingError."""
        names = self._names(device)
        theirs, ours = safe_text(device.get("version", "")), metadata.version("fission")
        if not fit_together(theirs, ours):
            raise PairingError(
                f"the device has fission {theirs}, this client {ours}",
                where=self.host,
                hint="Install the same version on both",
            )
        self.address = names.addresses[0]
        # a device that is paired again gets a new key
        self.store.update([names], days=DAYS, renew=self._is_known(), now=dt.datetime.now(dt.UTC))
        folder = self.store.node(self.address)
        return {one: (folder / one).read_text(encoding="ascii") for one in CERTIFICATE_FILES}

    def _is_known(self) -> bool:
        return self.store.node(self.address).is_dir()

    def _names(self, device: Mapping[str, str]) -> NodeNames:
        """Return the address at which the device says it serves, and the name by which it was called here."""
        said = safe_text(device.get("address", ""))
        address, called = _ip_address(said), _ip_address(normal_address(self.host))
        if address is None:
            raise PairingError("the device has no usable address", where=self.host, found=repr(said))
        if called is not None and called != address:
            raise PairingError(
                f"the device serves at another address, {said}",
                where=self.host,
                hint=f"Is this the right device? If so: fission pair {said}",
            )
        return NodeNames.parse(said if called is not None else f"{said},{self.host}")


def _ip_address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _ask(host: str) -> str:
    """Ask on the terminal until it is a code. Raises UserError at the end of the input."""
    while True:
        try:
            text = input(f"code that {host} shows: ")
        except EOFError:
            raise UserError("no code was typed") from None
        code = read_code(text)
        if code is not None:
            return code
        print_error(f"a code has {DIGITS} digits")


def _checked(text: str) -> str:
    code = read_code(text)
    if code is None:
        raise UserError("this is no code", where="--code", expected=f"{DIGITS} digits", found=repr(text[:20]))
    return code
