"""The errors of emulators."""

from fission.errors import RunError

__all__ = ["JobFinished"]


class JobFinished(RunError):  # noqa: N818 - reads as what happened
    """There is no such round: the stream of the job ended before it, by `finish()`, None or the end of a generator."""
