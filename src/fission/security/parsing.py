"""Parses certificates completely at once: `cryptography` finds damage only when a part is used."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

__all__ = ["parse_certificate"]


def parse_certificate(pem: bytes) -> x509.Certificate:
    """Return a certificate all of whose parts can be read. Raises ValueError."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        for read in (
            lambda: certificate.subject,
            lambda: certificate.issuer,
            lambda: certificate.extensions,
            lambda: certificate.not_valid_before_utc,
            lambda: certificate.not_valid_after_utc,
            certificate.public_key,
        ):
            read()
    except (TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise ValueError(str(error)) from error
    return certificate
