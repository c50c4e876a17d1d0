"""Certificates, roles and TLS connections between the members of one cluster.

`import fission.security` provides what running processes need and does not load `cryptography`. Creating
certificates is in `fission.security.store`, those of an embedded cluster in `fission.security.ephemeral`.
"""

from fission.security.channel import TlsChannel
from fission.security.contexts import client_context, server_context
from fission.security.errors import CertificateError, PeerError, PeerGoneError
from fission.security.handshake import HANDSHAKE_SECONDS, Step, TlsHandshake, accept_tls, dial_tls
from fission.security.identity import Identity, IdentityFiles, find_identity, load_identity
from fission.security.roles import Peer, Role, is_at, peer_role, require_address, require_role

__all__ = [
    "HANDSHAKE_SECONDS",
    "CertificateError",
    "Identity",
    "IdentityFiles",
    "Peer",
    "PeerError",
    "PeerGoneError",
    "Role",
    "Step",
    "TlsChannel",
    "TlsHandshake",
    "accept_tls",
    "client_context",
    "dial_tls",
    "find_identity",
    "is_at",
    "load_identity",
    "peer_role",
    "require_address",
    "require_role",
    "server_context",
]
