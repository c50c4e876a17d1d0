"""TLS contexts: version 1.3 only, both sides verified by the cluster's own authority and by nothing else."""

import ssl

from fission.security.errors import CertificateError
from fission.security.identity import IdentityFiles

__all__ = ["client_context", "server_context"]


def server_context(identity: IdentityFiles) -> ssl.SSLContext:
    """Make the context of a listening socket: whoever connects must show a certificate of our authority.

    Check the role of every connection next (`accept_tls` does). Raises CertificateError.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # none are used, and unread ones turn a close into a reset
    return context


def client_context(identity: IdentityFiles, *, check_host: bool = True) -> ssl.SSLContext:
    """Make the context of outgoing connections: whoever answers must show a certificate of our authority.

    The certificate must name the host that was dialled. With `check_host=False` TLS itself does not look at
    that: for `dial_tls`, which does, but lets the client pass, who has no fixed address. Raises
    CertificateError.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
    context.check_hostname = check_host
    return context


def _context(protocol: int, identity: IdentityFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(identity.ca)
        # a password, although there is none: without it OpenSSL would ask on the terminal and wait
        context.load_cert_chain(identity.cert, identity.key, password="")
    except OSError as error:
        raise CertificateError(
            f"cannot be used for TLS ({getattr(error, 'reason', None) or error.strerror})",
            where=str(identity.folder),
            hint="Run `fission_admin.py certs --list` where they were made",
        ) from None
    return context
