"""Log levels by name, with the numbers of `logging`, for rooms that do not import `logging`."""

from __future__ import annotations

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING"]

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40
CRITICAL = 50
