"""Forwards what user code says with the `logging` module to the log of the network, with its level."""

import logging
from collections.abc import Callable


class _Forwarder(logging.Handler):
    def __init__(self, send: Callable[[int, str], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send(record.levelno, f"{record.name}: {self.format(record)}")


def forward_user_logs(level: str, send: Callable[[int, str], None]) -> None:
    """Attach to the root logger, once; `send` gets (level, text) for every record at `level` or above."""
    root = logging.getLogger()
    if any(isinstance(handler, _Forwarder) for handler in root.handlers):
        return
    root.addHandler(_Forwarder(send))
    root.setLevel(level)
