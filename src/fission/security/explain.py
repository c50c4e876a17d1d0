"""Explains in one line why a TLS connection failed, from what OpenSSL reports."""

import datetime as dt
import ssl

from fission.security.errors import PeerError, PeerGoneError

__all__ = ["explain"]

_OUR_TIME = "It shows {now:%Y-%m-%d %H:%M} UTC"
_THEIR_CLOCK = "Is the clock of that machine right? Here it is {now:%Y-%m-%d %H:%M} UTC"

_VERIFY = {
    9: ("its certificate is not valid yet", f"Is the clock of this machine right? {_OUR_TIME}"),
    10: (
        "its certificate has expired",
        f"Run `fission certs --renew`, or set the clock of this machine if it is wrong. {_OUR_TIME}",
    ),
    18: ("its certificate was not signed by our authority", ""),
    19: ("its certificate was not signed by our authority", ""),
    20: ("its certificate was not signed by our authority", "Does it belong to another cluster?"),
    62: ("its certificate does not name the host that was dialled", ""),
    64: ("its certificate does not name the address that was dialled", ""),
}
"""Numbers of OpenSSL's x509_vfy.h."""

_REASONS = (
    ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "it has shown no certificate", ""),
    ("HTTP_REQUEST", "it speaks HTTP, not TLS", ""),
    ("HTTPS_PROXY_REQUEST", "it speaks HTTP, not TLS", ""),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS", ""),
    ("UNSUPPORTED_PROTOCOL", "it offers no TLS 1.3", ""),
    ("ALERT_CERTIFICATE_REQUIRED", "it refused us: we have shown no certificate", ""),
    ("ALERT_UNKNOWN_CA", "it refused us: our certificate was not signed by its authority", ""),
    (
        "ALERT_CERTIFICATE_EXPIRED",
        "it refused us: our certificate has expired at the time of its clock",
        _THEIR_CLOCK,
    ),
    # OpenSSL sends this alert also for a certificate that is not valid yet
    ("ALERT_BAD_CERTIFICATE", "it refused us: it does not accept our certificate", _THEIR_CLOCK),
    ("ALERT_PROTOCOL_VERSION", "it refused us: it speaks no TLS 1.3", ""),
)
"""Parts of OpenSSL's names of reasons, with text and hint; the first that fits counts."""


def explain(error: OSError, where: str) -> PeerError:
    """Return one PeerError for what `ssl` or the socket raised; `where` is the peer's address.

    A certificate outside of its time is reported with the clock that was compared, and what this machine's clock shows.
    """
    now = dt.datetime.now(dt.UTC)
    if isinstance(error, ssl.SSLCertVerificationError):
        what, hint = _VERIFY.get(
            error.verify_code, (f"its certificate was refused: {error.verify_message}", "")
        )
        return PeerError(what, where=where, hint=hint.format(now=now))
    if isinstance(error, ssl.SSLError):
        name = getattr(error, "reason", None) or type(error).__name__
        for part, what, hint in _REASONS:
            if part in name:
                return PeerError(what, where=where, hint=hint.format(now=now))
        if "EOF" in name:
            return PeerGoneError("it closed the connection before the handshake was complete", where=where)
        return PeerError(
            f"it does not speak TLS as it should ({name.lower().replace('_', ' ')})", where=where
        )
    return PeerGoneError(f"the connection failed ({error.strerror or error})", where=where)
