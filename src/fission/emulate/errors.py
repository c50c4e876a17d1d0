"""What only emulators raise."""

from fission.errors import RunError

__all__ = ["JobFinished"]


class JobFinished(RunError):  # noqa: N818 - reads as what happened
    """There is no such round: the job's stream has ended before it, as `finish()`, None or a generator can make it."""
