"""Errors of certificates and connections; leaves of the tree in `fission.errors`.

```
UserError
└── CertificateError    our own certificates: missing, readable by others, expired, not a pair
RunError
└── PeerError           the other side: no certificate, foreign authority, wrong role or host, no TLS
    └── PeerGoneError   the connection failed or ended before that was known
```
"""

from fission.errors import RunError, UserError

__all__ = ["CertificateError", "PeerError", "PeerGoneError"]


class CertificateError(UserError):
    """The certificates of this machine cannot be used or created; the hint names the command that helps."""


class PeerError(RunError):
    """The peer is refused, or refuses this side: log the text, close the connection, continue."""


class PeerGoneError(PeerError):
    """The connection failed, ended or timed out before the peer was verified: try again."""
