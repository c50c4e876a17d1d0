"""Times as people type them: 10s, 500ms, 2m, 1h30m."""

import re

import typer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Return the seconds of "1h30m", "10s", "500ms" or "10". Raises typer.BadParameter."""
    compact = "".join(text.split())
    parts = _PART.findall(compact if compact[-1:].isalpha() else compact + "s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not seconds or "".join(number + unit for number, unit in parts).rstrip("s") != compact.rstrip("s"):
        raise typer.BadParameter(f"expected a time like 10s, 500ms, 2m or 1h30m, found {text!r}")
    return seconds
