"""The codes that a device shows: each is good for one guess and five minutes, and there are three of them."""

import secrets
from collections.abc import Callable
from typing import Final

__all__ = ["DIGITS", "SECONDS", "TRIES", "CodeBook", "draw_code", "read_code", "spaced"]

DIGITS: Final = 8
SECONDS: Final = 300.0
TRIES: Final = 3


def draw_code() -> str:
    """Return a random code."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def read_code(text: str) -> str | None:
    """Return the digits of a code as somebody types it, with spaces or hyphens between them; None if it is none."""
    digits = text.replace(" ", "").replace("-", "").strip()
    return digits if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None


def spaced(code: str) -> str:
    """Return a code as it is shown: "1234 5678"."""
    return f"{code[: DIGITS // 2]} {code[DIGITS // 2 :]}"


class CodeBook:
    """The current code of a device. Call `spend` before each comparison, and `renew` after one that has failed.

    Times are in seconds of any clock. A connection remembers the `number` of the code with which it began.
    """

    def __init__(self, now: float, draw: Callable[[], str] = draw_code) -> None:
        self._draw = draw
        self._left = TRIES
        self.number = 0
        self.code = ""
        self.expires = now
        self.renew(now)

    def renew(self, now: float) -> bool:
        """Draw the next code; return False, and have none, when all tries are used up."""
        if not self._left:
            self.code = ""
            return False
        self._left -= 1
        self.number += 1
        self.code = self._draw()
        self.expires = now + SECONDS
        return True

    def spend(self, number: int, now: float) -> bool:
        """Use up the code with this number; return whether it was still good. It is so once."""
        if number != self.number or not self.is_good(now):
            return False
        self.code = ""
        return True

    def is_good(self, now: float) -> bool:
        """Whether there is a code that has neither been spent nor expired."""
        return bool(self.code) and now < self.expires
