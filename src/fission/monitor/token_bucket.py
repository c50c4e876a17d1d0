"""A token bucket: limits how much passes per second, and lets short bursts through. Pure: time is an argument."""

__all__ = ["TokenBucket"]


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` of them per second; it is full at first.

    Within any `t` seconds it grants at most `burst + rate * t` tokens, and less than one amount more if an amount is larger than
    the burst. Such an amount passes when the bucket is full; the debt is paid before anything else passes.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Take so many tokens at `now` (seconds, never decreasing); return False, and take none, if they are not there."""
        if self._at is not None:
            self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._level < min(amount, self.burst):
            return False
        self._level -= amount
        return True
