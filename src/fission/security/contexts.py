"""TLS contexts: version 1.3 only, both sides verified by the cluster's own authority only."""

import ssl

from fission.security.errors import CertificateError
from fission.security.identity import IdentityFiles

__all__ = ["client_context", "server_context"]


def server_context(identity: IdentityFiles) -> ssl.SSLContext:
    """Create the context of a listening socket; it requires a certificate of the cluster's authority from every peer.

    The caller checks the role of every connection next (`accept_tls` does). Raises CertificateError.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # none are used, and unread ones turn a close into a reset
    return context


def client_context(identity: IdentityFiles, *, check_host: bool = True) -> ssl.SSLContext:
    """Create the context of outgoing connections; it requires a certificate of the cluster's authority from the peer.

    The certificate must name the dialled host. `check_host=False` leaves that check to `dial_tls`, which exempts
    the client, as it has no fixed address. Raises CertificateError.
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
        # an empty password: without one OpenSSL would prompt on the terminal and wait
        context.load_cert_chain(identity.cert, identity.key, password="")
    except OSError as error:
        raise CertificateError(
            f"cannot be used for TLS ({getattr(error, 'reason', None) or error.strerror})",
            where=str(identity.folder),
            hint="Run `fission certs --list` where they were made",
        ) from None
    return context
