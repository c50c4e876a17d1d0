"""The cluster's own authority, and the certificates that it signs. Needs the `cryptography` library.

Sources: RFC 5280 (profile), RFC 8446 (TLS 1.3), NIST P-256 keys. ADR 4 explains why the role is a URI.
"""

import datetime as dt
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fission.security.errors import CertificateError
from fission.security.parsing import parse_certificate
from fission.security.roles import Role, normal_address

__all__ = ["AUTHORITY_DAYS", "Authority", "Pair", "certificate_address", "private_key_pem"]

AUTHORITY_DAYS = 3650
_CLOCK_SKEW = dt.timedelta(days=1)
"""Certificates begin to be valid this long before they are made: small devices boot with an old time."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAME_LENGTH = 64
"""The longest common name that X.520 allows."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A key that signs certificates, and the certificate that identifies it to all members."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, now: dt.datetime, days: int = AUTHORITY_DAYS) -> Self:
        """Create an authority with a unique name."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"FISSION {secrets.token_hex(4)}")
        certificate = _authority_certificate(name, key, now - _CLOCK_SKEW, now + dt.timedelta(days=days))
        return cls(certificate, key)

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> Self:
        """Read both from PEM. Raises ValueError when they cannot be read or do not belong together."""
        read = parse_certificate(certificate)
        try:
            secret = serialization.load_pem_private_key(key, password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from error
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or secret.public_key() != read.public_key():
            raise ValueError("the key does not belong to the certificate")
        return cls(read, secret)

    def prolonged(self, now: dt.datetime, days: int = AUTHORITY_DAYS) -> Self:
        """Return the same authority with a new certificate: what it has signed before stays valid."""
        begin, end = self.certificate.not_valid_before_utc, now + dt.timedelta(days=days)
        return type(self)(_authority_certificate(self.certificate.subject, self._key, begin, end), self._key)

    @property
    def pem(self) -> bytes:
        """The certificate, which every member of the cluster needs to verify the others."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key. It can sign certificates, so it must not be on any node."""
        return private_key_pem(self._key)

    def issue(self, role: Role, name: str, addresses: Sequence[str], *, now: dt.datetime, days: int) -> Pair:
        """Make a key and sign a certificate for it, valid for some days but not longer than the authority.

        `addresses` are IP addresses and host names, checked with `certificate_address` before.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(role.uri), *map(_general_name, addresses)]
        end = min(now + dt.timedelta(days=days), self.certificate.not_valid_after_utc)
        certificate = (
            _builder(_name(name), self.certificate.subject, key, now - _CLOCK_SKEW, end)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(
                # every member both connects and is connected to, whatever its role
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), private_key_pem(key))


def certificate_address(text: str) -> str:
    """Check one IP address or host name for a certificate and return its normal form.

    Raises CertificateError for patterns, networks, ports and everything else that names no single host.
    """
    address = normal_address(text)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        labels = address.split(".")
        numeric = labels[-1].isdigit()  # a wrong IP address, not a name
        if numeric or len(address) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise CertificateError(
                f"{text!r} is not an address of a node",
                expected="an IP address or a host name",
                hint="Name every node, as in --node 192.168.4.2; patterns like 192.168.4.* are not "
                "allowed in a certificate",
            ) from None
    return address


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as unencrypted PEM (PKCS 8)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _authority_certificate(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, begin: dt.datetime, end: dt.datetime
) -> x509.Certificate:
    return (
        _builder(name, name, key, begin, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_NAME_LENGTH])])


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
