"""Authentication of checkpoints: a code that only the hosts of a job can make. Pure.

The client makes a secret for each run. The order of a job carries a key that is derived from it for this job alone, so that a
machine has the keys of the jobs that it hosts and of no others. A host signs each checkpoint, and a successor accepts only
those with a valid code: a replica, which stores checkpoints and does not host the job, cannot forge one.
"""

import hashlib
import hmac
import json

from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey

__all__ = ["KEY_BYTES", "checkpoint_code", "is_genuine", "job_key"]

KEY_BYTES = 32


def job_key(secret: bytes, key: CheckpointKey) -> bytes:
    """Return the key of one job of a run with this secret."""
    return hmac.digest(secret, _text("job", key.network, key.run, key.job), hashlib.sha256)


def checkpoint_code(secret: bytes, key: CheckpointKey, entry: CheckpointEntry) -> str:
    """Return the code of a checkpoint, by the job's key; the entry's own code does not count."""
    place = _text(
        "checkpoint",
        key.network,
        key.run,
        key.job,
        entry.incarnation,
        entry.epoch,
        entry.round,
        entry.digest,
        entry.size,
    )
    return hmac.digest(secret, place, hashlib.sha256).hex()


def is_genuine(secret: bytes, key: CheckpointKey, entry: CheckpointEntry) -> bool:
    """Whether a host of the job has signed the checkpoint."""
    return hmac.compare_digest(checkpoint_code(secret, key, entry), entry.code)


def _text(*fields: str | int) -> bytes:
    return json.dumps(fields).encode()
