"""The log of a node service, on stderr: lines for people, or one JSON object per record for programs."""

import datetime as dt
import json
import logging
import sys
from pathlib import Path

from fission.errors import ConfigError
from fission.management.console.log_files import DegradingFileHandler


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, logger, text; and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        entry = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


BYTES = 4 << 20
"""When the file has this size it becomes `fission.log.1`, and a new one begins."""

_PLAIN = "%(asctime)s %(levelname)-7s %(message)s"


def start_log(level: str, kind: str) -> None:
    """Write everything from `level` on to stderr, of other packages only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    if kind == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_PLAIN))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger("fission").setLevel(level)


def keep_log(root: Path) -> Path:
    """Write the log to a file below `root` as well, for those who collect it; return the path. Raises ConfigError."""
    path = root / "log" / "fission.log"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handler = DegradingFileHandler(str(path), max_bytes=BYTES, backups=1)
    except OSError as error:
        raise ConfigError(f"the log cannot be written: {error.strerror}", where=str(path)) from error
    handler.setFormatter(logging.Formatter(_PLAIN))
    logging.getLogger().addHandler(handler)
    logging.raiseExceptions = False  # stderr on a full disk is no reason for tracebacks
    return path
