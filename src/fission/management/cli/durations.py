"""Parses durations on the command line: 10s, 500ms, 2m, 1h30m."""

import re

import typer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_PART = re.compile(rf"{_NUMBER}(ms|s|m|h|$)")
_WHOLE = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h))*{_NUMBER}?")


def parse_duration(text: str) -> float:
    """Return the seconds of "1h30m", "10s", "500ms" or "10". Raises typer.BadParameter."""
    compact = "".join(text.split())
    parts = _PART.findall(compact) if _WHOLE.fullmatch(compact) else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not seconds:
        raise typer.BadParameter(f"expected a time like 10s, 500ms, 2m or 1h30m, found {text!r}")
    return seconds
