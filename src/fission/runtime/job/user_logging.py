"""Forwards the records that user code logs with the `logging` module to the log of the network, with their levels."""

import logging
from collections.abc import Callable


class _Forwarder(logging.Handler):
    def __init__(self, send: Callable[[int, str], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - arguments that do not fit the message; `logging` reports them on stderr
            self.handleError(record)
        else:
            self._send(record.levelno, f"{record.name}: {text}")


def forward_user_logs(level: str, send: Callable[[int, str], None]) -> None:
    """Attach to the root logger, once; `send` gets (level, text) for every record at `level` or above."""
    root = logging.getLogger()
    if any(isinstance(handler, _Forwarder) for handler in root.handlers):
        return
    root.addHandler(_Forwarder(send))
    root.setLevel(level)
