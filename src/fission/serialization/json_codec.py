"""Decodes JSON that others have written: a file that may be damaged, a line from a socket."""

import json
from typing import Any

__all__ = ["decode"]


def decode(data: str | bytes) -> Any:
    """Decode JSON. Raises ValueError for anything else, also for values that are nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
