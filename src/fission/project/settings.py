"""The settings of config.py: a table of names, valid values and conversions."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fission.core.network import Settings
from fission.project.addresses import is_address
from fission.project.formats.xml import XML_ARGUMENTS
from fission.project.suggest import did_you_mean

_SCHEDULER = re.compile(r"(tls|tcp|ws|wss)://\S+:\d{1,5}")


class _InvalidValueError(Exception):
    """A value is not valid for its setting; the text is a hint, or empty."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: `read` returns the value for `field` of Settings or raises _InvalidValueError."""

    name: str
    field: str
    expected: str
    read: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A setting that cannot be used."""

    name: str
    expected: str
    found: str
    hint: str = ""


def read_settings(values: Mapping[str, object]) -> tuple[Settings, tuple[Mistake, ...]]:
    """Read the settings among the names of a config module; a wrong one keeps its default."""
    read: dict[str, object] = {}
    mistakes = []
    for setting in SETTINGS:
        if setting.name not in values:
            continue
        value = values[setting.name]
        try:
            read[setting.field] = setting.read(value)
        except _InvalidValueError as unfit:
            mistakes.append(Mistake(setting.name, setting.expected, describe(value), str(unfit)))
    return Settings(**read), tuple(mistakes)  # type: ignore[arg-type] # each `read` returns the type of its field


def describe(value: object) -> str:
    """Describe a value within one line: "the int 5", "the class SourceJob"."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the user's own __repr__ may raise anything
        text = "object"
    if len(text) > 60 or "\n" in text or text.startswith("<"):
        return f"a {type(value).__name__}"
    return f"the {type(value).__name__} {text}"


# -- what the settings may be --------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _InvalidValueError
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _path(value: object) -> str:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise _InvalidValueError
    return os.fspath(value)


def _remote_path(value: object) -> str:
    path = _path(value)
    if not path.startswith(("/", "~")):
        raise _InvalidValueError(
            "Begin with / or ~: a relative path would depend on where the node service was started"
        )
    return path


def _log_level(value: object) -> str:
    levels = logging.getLevelNamesMapping()
    if isinstance(value, str) and value.upper() in levels:
        return value.upper()
    if isinstance(value, int) and not isinstance(value, bool) and value in levels.values():
        return logging.getLevelName(value)
    raise _InvalidValueError


def _address(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not is_address(value):
        raise _InvalidValueError("Only the address, without a port" if ":" in str(value) else "")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _InvalidValueError
    return value


def _scheduler(value: object) -> str | None:
    text = _optional_text(value)
    if text is not None and not _SCHEDULER.fullmatch(text):
        raise _InvalidValueError("With the protocol and the port")
    return text


def _optional_path(value: object) -> str | None:
    return None if value is None or value == "" else _path(value)


def _xml_args(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _InvalidValueError
    for name, text in value.items():
        if name not in XML_ARGUMENTS:
            raise _InvalidValueError(
                f"There is no {name!r}. {did_you_mean(str(name), XML_ARGUMENTS)}".strip()
            )
        if not isinstance(text, str) or not text.strip():
            raise _InvalidValueError(f"{name!r} needs a name that the file uses")
    return dict(value)


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise _InvalidValueError
        return float(value)

    return read


def _seconds_or_none(low: float, high: float) -> Callable[[object], float | None]:
    read = _between(low, high)
    return lambda value: None if value is None else read(value)


def _security(value: object) -> str:
    if value not in ("tls", "off"):
        raise _InvalidValueError
    return str(value)


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _InvalidValueError
        return value

    return read


SETTINGS: Final = (
    Setting("USER", "user", "the name of the user on the nodes", _optional_text),
    Setting("REMOTE_ROOT", "remote_root", "an absolute path on the nodes", _remote_path),
    Setting("LOG_LEVEL", "log_level", "DEBUG, INFO, WARNING, ERROR or CRITICAL", _log_level),
    Setting("LOG_FILE", "log_file", "the path of a file", _path),
    Setting("CLIENT_IP", "client_ip", "an address or None", _address),
    Setting("DEBUG_WINDOW", "debug_window", "True or False", _truth),
    Setting("PRE_COPY", "pre_copy", "True or False", _truth),
    Setting("PULSE_INTERVAL", "pulse_interval", "seconds from 0.1 to 1000", _between(0.1, 1000)),
    Setting("HEAD_SIZE", "head_size", "a whole number of bytes from 1 to 4", _whole(1, 4)),
    Setting("SECURITY", "security", '"tls" or "off"', _security),
    Setting("CERTS", "certs", "the path of a folder", _path),
    Setting(
        "DASK", "dask", "the address of a Dask scheduler, such as tls://10.0.0.1:8786, or None", _scheduler
    ),
    Setting("NODE_PORT", "node_port", "a port from 1 to 65535", _whole(1, 65535)),
    Setting("MAX_RESTARTS", "max_restarts", "a whole number from 0 to 1000000", _whole(0, 1_000_000)),
    Setting("ALLOCATION_TIMEOUT", "allocation_timeout", "seconds or None", _seconds_or_none(0, 1e9)),
    Setting("ORPHAN_TIMEOUT", "orphan_timeout", "seconds from 1 to 1000000", _between(1, 1_000_000)),
    Setting("LINK_TIMEOUT", "link_timeout", "seconds from 1 to 1000000, or None", _seconds_or_none(1, 1e6)),
    Setting(
        "PROGRESS_TIMEOUT", "progress_timeout", "seconds from 1 to 1000000, or None", _seconds_or_none(1, 1e6)
    ),
    Setting("XML_FILE", "xml_file", "the path of a file or None", _optional_path),
    Setting("XML_ARGS", "xml_args", f"a dict with any of {', '.join(XML_ARGUMENTS)}", _xml_args),
)

OTHER_SETTINGS: Final = ("JOBS", "NODES")
"""Settings that hold the network itself."""

NAMES: Final = frozenset({setting.name for setting in SETTINGS} | set(OTHER_SETTINGS))
