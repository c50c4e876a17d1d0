"""Finds and checks the certificate of this machine; explains in one line why it cannot be used."""

import datetime as dt
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fission.security.errors import CertificateError, PeerError
from fission.security.roles import Peer, Role, peer_role

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = [
    "WARNING_DAYS",
    "Identity",
    "IdentityFiles",
    "find_identity",
    "in_days",
    "load_identity",
    "read_identity",
]

WARNING_DAYS = 30
_MAKE = "Run `fission certs` in the project's folder to make the certificates"
_WHOLE = "Copy the three files of one folder together, or make new ones with `fission certs --renew`"
_RENEW = "Run `fission certs --renew` and copy the new certificates to the nodes"


@dataclass(frozen=True)
class IdentityFiles:
    """The paths of one machine's certificates: enough for TLS contexts, and quick to find."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    @property
    def cert(self) -> Path:
        """The certificate of this machine."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """The key of this machine's certificate."""
        return self.folder / "key.pem"


@dataclass(frozen=True)
class Identity(IdentityFiles):
    """A certificate that was read and checked: its role, its name, its addresses and its time (UTC)."""

    role: Role
    name: str
    addresses: tuple[str, ...]
    not_before: dt.datetime
    not_after: dt.datetime

    def days_left(self, now: dt.datetime | None = None) -> int:
        """Return the whole days until the certificate expires; negative afterwards."""
        return (self.not_after - (now or _now())).days

    def warning(self, now: dt.datetime | None = None) -> str:
        """Return a line to show at each start when the certificate expires within 30 days, else nothing."""
        days = self.days_left(now)
        if days >= WARNING_DAYS:
            return ""
        return f"{self.cert}: the certificate expires {in_days(days)} ({self.not_after:%Y-%m-%d}). {_RENEW}"


def in_days(days: int) -> str:
    """Describe a time that is this many whole days from now."""
    return "today" if days <= 0 else f"in {days} day{'s' * (days != 1)}"


def find_identity(folder: Path) -> IdentityFiles:
    """Check that the files are there, readable for us and closed to others; do not parse them.

    For processes whose parent has called `load_identity` before: it does not import `cryptography`. Raises
    CertificateError.
    """
    files = IdentityFiles(folder)
    try:
        mode = stat.S_IMODE(os.stat(folder).st_mode)
    except OSError as error:
        raise CertificateError(
            _reason(error, "there are no certificates"), where=str(folder), hint=_MAKE
        ) from None
    if mode & 0o022:
        raise CertificateError(
            "others may write into the folder of a key",
            where=str(folder),
            expected="mode 0700",
            found=f"{mode:04o}",
            hint=f"Run `chmod 700 {folder}`",
        )
    for path in (files.ca, files.cert, files.key):
        _check_file(path, private=path == files.key)
    return files


def read_identity(folder: Path) -> Identity:
    """Like `load_identity`, but the time is not checked: for lists of certificates, and to renew them."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow to import; jobs do without

    files = find_identity(folder)
    ca, certificate = _certificate(files.ca), _certificate(files.cert)
    if _key(files.key).public_key() != certificate.public_key():
        raise CertificateError(
            "the key does not belong to the certificate", where=str(files.key), hint=_RENEW
        )
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        raise CertificateError(
            "the certificate was not signed by the authority beside it",
            where=str(files.cert),
            expected=ca.subject.rfc4514_string(),
            found=certificate.issuer.rfc4514_string(),
            hint=_WHOLE,
        ) from None
    peer = _peer(certificate, files.cert)
    return Identity(
        folder,
        role=peer.role,
        name=peer.name,
        addresses=peer.addresses,
        not_before=max(certificate.not_valid_before_utc, ca.not_valid_before_utc),
        not_after=min(certificate.not_valid_after_utc, ca.not_valid_after_utc),
    )


def load_identity(folder: Path, role: Role | None = None, *, now: dt.datetime | None = None) -> Identity:
    """Read the certificates of this machine and check all that can be checked without the other side.

    The files are there, the key is closed to others and belongs to the certificate, the authority beside it
    has signed it, it has a role (this one), and it is valid now. Raises CertificateError, whose hint says which command
    helps. Show `identity.warning()` next.
    """
    identity = read_identity(folder)
    now = now or _now()
    if now < identity.not_before:
        raise CertificateError(
            "the certificate is not valid yet",
            where=str(identity.cert),
            expected=f"a time after {identity.not_before:%Y-%m-%d %H:%M}",
            found=f"{now:%Y-%m-%d %H:%M} UTC",
            hint="Is the clock of this machine right?",
        )
    if now >= identity.not_after:
        raise CertificateError(
            "the certificate has expired",
            where=str(identity.cert),
            expected=f"a time before {identity.not_after:%Y-%m-%d %H:%M}",
            found=f"{now:%Y-%m-%d %H:%M} UTC",
            hint=_RENEW,
        )
    if role not in (None, identity.role):
        raise CertificateError(
            f"this certificate is not for a {role}",
            where=str(identity.cert),
            expected=str(role),
            found=identity.role,
            hint=f"Put the folder there that `fission certs` has made for the {role}",
        )
    return identity


def _peer(certificate: "x509.Certificate", path: Path) -> Peer:
    """Read role, name and addresses, by the same rules as the other side will."""
    from cryptography import x509  # noqa: PLC0415

    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    try:
        return peer_role(
            {
                "subject": tuple((("commonName", part.value),) for part in common),
                "subjectAltName": (
                    *(("URI", value) for value in names.get_values_for_type(x509.UniformResourceIdentifier)),
                    *(("IP Address", str(value)) for value in names.get_values_for_type(x509.IPAddress)),
                    *(("DNS", value) for value in names.get_values_for_type(x509.DNSName)),
                ),
            }
        )
    except PeerError as error:
        raise CertificateError(
            error.what, where=str(path), expected=error.expected, found=error.found, hint=error.hint
        ) from None


def _check_file(path: Path, *, private: bool) -> None:
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise CertificateError(_reason(error, "the file is missing"), where=str(path), hint=_WHOLE) from None
    if private and mode & 0o077:
        raise CertificateError(
            "others may read or change the key",
            where=str(path),
            expected="mode 0600",
            found=f"{mode:04o}",
            hint=f"Run `chmod 600 {path}`, or renew the certificate if somebody could have read it",
        )


def _certificate(path: Path) -> "x509.Certificate":
    from fission.security.parsing import parse_certificate  # noqa: PLC0415

    try:
        return parse_certificate(path.read_bytes())
    except ValueError:
        raise CertificateError(
            "this is no certificate, or it is damaged", where=str(path), expected="PEM", hint=_RENEW
        ) from None


def _key(path: Path) -> "ec.EllipticCurvePrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(
            "this is no key that we can use",
            where=str(path),
            expected="an EC key without password",
            hint=_RENEW,
        )
    return key


def _reason(error: OSError, missing: str) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return missing
    return f"cannot be read ({error.strerror})"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
