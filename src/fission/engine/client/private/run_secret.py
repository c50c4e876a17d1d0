"""The secret of a run, which authenticates its checkpoints (see `engine.checkpoints.authentication`)."""

import json
import secrets
from pathlib import Path

from fission.engine.checkpoints.authentication import KEY_BYTES
from fission.errors import RunError
from fission.security.files import replace_file
from fission.serialization import json_codec

__all__ = ["NAME", "run_secret"]

NAME = "checkpoint.key"


def run_secret(folder: Path, run: str) -> bytes:
    """Return the secret of a run from the client's private folder; it is made, with the file, for a new run.

    Raises RunError when the file cannot be written. A secret that is lost or damaged is made anew: checkpoints from before
    are refused then.
    """
    path = folder / NAME
    try:
        match json_codec.decode(path.read_bytes()):
            case {"run": known, "secret": str(text)} if known == run and len(text) == 2 * KEY_BYTES:
                return bytes.fromhex(text)
    except (OSError, ValueError):
        pass
    secret = secrets.token_bytes(KEY_BYTES)
    try:
        replace_file(path, json.dumps({"run": run, "secret": secret.hex()}).encode(), 0o600)
    except OSError as error:
        raise RunError(
            f"the secret of the run cannot be written: {error.strerror or error}", where=str(path)
        ) from error
    return secret
