"""What goes wrong with certificates and connections; two more leaves of the tree in `fission.errors`.

```
UserError
└── CertificateError    our own certificates: missing, readable by others, expired, not a pair
RunError
└── PeerError           the other side: no certificate, foreign authority, wrong role or host, no TLS
    └── PeerGoneError   it failed or ended before that was clear
```
"""

from fission.errors import RunError, UserError

__all__ = ["CertificateError", "PeerError", "PeerGoneError"]


class CertificateError(UserError):
    """The certificates of this machine cannot be used or made; the hint says which command helps."""


class PeerError(RunError):
    """Whoever is at the other end is refused, or refuses us: log the text, close the connection, go on."""


class PeerGoneError(PeerError):
    """The connection failed, ended or was too slow before it was clear who is at the other end: try again."""
