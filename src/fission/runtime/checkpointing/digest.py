"""The digest that names a state: BLAKE2b with 16 bytes, in hexadecimal."""

import hashlib

__all__ = ["state_digest", "state_hash"]


def state_hash(data: bytes = b"") -> "hashlib.blake2b":
    """Return a hash object for a state that arrives in pieces."""
    return hashlib.blake2b(data, digest_size=16)


def state_digest(data: bytes) -> str:
    """Return the digest of a state."""
    return state_hash(data).hexdigest()
