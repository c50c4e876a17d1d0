"""Bounds the size of texts that user code or a peer provides, before they enter a message."""

__all__ = ["MESSAGE_LIMIT", "TEXT_LIMIT", "shorten"]

TEXT_LIMIT = 1 << 16
"""Characters of a log record or a traceback that are kept."""

MESSAGE_LIMIT = 1 << 13
"""Characters of a text that is shown as one line, such as the message of an exception."""


def shorten(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return the text; the head and the tail of one that is longer than `limit`, and how much was cut between them."""
    if len(text) <= limit:
        return text
    half = (limit - 64) // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters cut by fission ...] {text[-half:]}"
