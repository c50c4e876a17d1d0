"""Keys from the shared secret, their confirmation, and sealed messages.

Sources: RFC 5869 (HKDF), RFC 8439 (ChaCha20-Poly1305), RFC 9382, section 4 (key confirmation).
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fission.pairing.errors import PairingError

__all__ = ["CLIENT", "DEVICE", "Sealed"]

CLIENT: Final = "client"
DEVICE: Final = "device"
_LENGTH = 32


class Sealed:
    """One side of a connection with a shared secret. `transcript` are all messages until now, in order.

    Compare the other side's confirmation first; after that `seal` and `open` are in order of sending, in each direction.
    """

    def __init__(self, secret: bytes, transcript: Sequence[bytes], side: str) -> None:
        other = DEVICE if side == CLIENT else CLIENT
        digest = hashlib.sha256(b"".join(len(one).to_bytes(4, "big") + one for one in transcript)).digest()

        def key(label: str) -> bytes:
            return HKDF(SHA256(), _LENGTH, salt=digest, info=f"fission pairing 1 {label}".encode()).derive(
                secret
            )

        self.confirmation = hmac.digest(key(f"confirm {side}"), digest, "sha256")
        self._expected = hmac.digest(key(f"confirm {other}"), digest, "sha256")
        self._outgoing = ChaCha20Poly1305(key(f"seal {side}"))
        self._incoming = ChaCha20Poly1305(key(f"seal {other}"))
        self._sent = self._received = 0

    def confirms(self, confirmation: bytes) -> bool:
        """Whether the other side has the same secret and has seen the same messages."""
        return hmac.compare_digest(confirmation, self._expected)

    def seal(self, data: bytes) -> bytes:
        """Encrypt the next message to the other side."""
        self._sent += 1
        return self._outgoing.encrypt(self._sent.to_bytes(12, "big"), data, None)

    def open(self, data: bytes) -> bytes:
        """Decrypt the next message. Raises PairingError when it is not the next one, or was changed."""
        self._received += 1
        try:
            return self._incoming.decrypt(self._received.to_bytes(12, "big"), data, None)
        except InvalidTag:
            raise PairingError("a message was changed on its way") from None
