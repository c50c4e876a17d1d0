"""The log of a node service, on stderr: lines for people, or one JSON object per record for programs."""

import datetime as dt
import json
import logging
import sys


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


def start_log(level: str, kind: str) -> None:
    """Write everything from `level` on to stderr, of other packages only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    if kind == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger("fission").setLevel(level)
