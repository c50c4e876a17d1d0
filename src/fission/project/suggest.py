"""Parts of messages: the closest known name, lists, counts."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the choice that is closest to `word`, or "" when none is close."""
    found = closest(word, choices)
    return f"Did you mean {found!r}?" if found else ""


def closest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that is closest to `word`, or "" when none is close."""
    by_folded = {choice.casefold(): choice for choice in choices}
    folded = word.casefold()
    begun = [choice for choice in by_folded if len(folded) > 1 and choice.startswith(folded)]
    close = begun if len(begun) == 1 else get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""


def listed(words: Iterable[str]) -> str:
    """Return the words as "a, b and c"; "none" when there are none."""
    every = list(words)
    if len(every) < 2:
        return every[0] if every else "none"
    return f"{', '.join(every[:-1])} and {every[-1]}"


def counted(number: int, noun: str) -> str:
    """Return "no jobs", "1 job", "2 jobs"."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
