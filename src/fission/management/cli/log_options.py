"""Parses the levels and times of `fission logs`."""

import datetime as dt
import logging
from collections.abc import Callable

import typer

from fission.management.cli.durations import parse_duration

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_CLOCK = ("%H:%M", "%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def parse_level(text: str) -> int:
    """Return the number of a level by its name. Raises typer.BadParameter."""
    if text.upper() not in LEVELS:
        raise typer.BadParameter(f"expected one of {', '.join(LEVELS)}, found {text!r}")
    return logging.getLevelNamesMapping()[text.upper()]


def parse_since(text: str, now: Callable[[], dt.datetime] = dt.datetime.now) -> float:
    """Return the time of "10m", "14:30" (today, or yesterday if that is still to come) or "2026-11-27 14:30".

    Raises typer.BadParameter.
    """
    for form in _CLOCK:
        try:
            moment = dt.datetime.strptime(text.strip(), form)
        except ValueError:
            continue
        if "%Y" not in form:
            moment = dt.datetime.combine(now().date(), moment.time())
            if moment > now():
                moment -= dt.timedelta(days=1)
        return moment.timestamp()
    try:
        return now().timestamp() - parse_duration(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"expected a time like 10m, 14:30 or '2026-11-27 14:30', found {text!r}"
        ) from None
