"""Options of a node service, from the command line or from a TOML file with the same names."""

import os
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from fission.core.network import Settings
from fission.errors import ConfigError
from fission.project.suggest import did_you_mean, listed

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
CERTS: Final = Path("/etc/fission/certs")
"""Default folder of a device's certificate."""
ROOT: Final = Path("~/.local/share/fission")


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """The options with their defaults; `address` "" stands for the address of the default route."""

    address: str = ""
    port: int = Settings().node_port
    name: str = ""
    slots: int = 0
    groups: tuple[str, ...] = ()
    certs: Path = CERTS
    root: Path = ROOT
    security: str = "tls"
    log_level: str = "INFO"
    log: str = "plain"
    allow_reboot: bool = False
    reboot_command: str = "systemctl reboot"
    announce: bool = False


def read_options(given: Mapping[str, object], config: Path | None) -> NodeOptions:
    """Merge the command line (None: not given), the file and the defaults, in this order of precedence. Raises ConfigError."""
    from_file = {} if config is None else _read_file(config)
    place = "" if config is None else str(config)
    options = NodeOptions()
    for values, where in ((from_file, place), (given, "")):
        for name, value in values.items():
            if value is not None:
                options = replace(options, **{name: _read(name, value, where)})  # type: ignore[arg-type] # `_read` checks the types
    return replace(
        options,
        address=options.address or guess_address(),
        name=options.name or socket.gethostname(),
        slots=options.slots or os.cpu_count() or 1,
        certs=options.certs.expanduser(),
        root=Path(
            os.path.abspath(options.root.expanduser())
        ),  # not resolved: messages show the path as it was given
    )


def options_of(values: Mapping[str, object]) -> NodeOptions:
    """Restore options that were checked before and passed as JSON. Raises ConfigError."""
    return NodeOptions(**{name: _read(name, value, "") for name, value in values.items()})  # type: ignore[arg-type]


def guess_address() -> str:
    """Return the local address of the default route, or 127.0.0.1 if there is none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(sock.getsockname()[0])


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"this is no TOML: {error}", where=str(path)) from None
    names = [field.name for field in fields(NodeOptions)]
    for name in values:
        if name not in names:
            raise ConfigError(
                f"unknown setting {name!r}",
                where=str(path),
                hint=did_you_mean(name, names) or f"The settings are {listed(names)}",
            )
    return values


def _read(name: str, value: object, place: str) -> object:
    expected, read = _READERS[name]
    try:
        return read(value)
    except (ValueError, TypeError):
        where = f"{place}: {name}" if place else f"--{name.replace('_', '-')}"
        raise ConfigError("invalid value", where=where, expected=expected, found=repr(value)) from None


def _address(value: object) -> str:
    address = ip_address(_text(value))
    if address.is_unspecified or address.is_multicast:
        raise ValueError
    return str(address)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _groups(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError
    return tuple(dict.fromkeys(_text(part) for part in parts))


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return read


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        found = [word for word in words if word.lower() == _text(value).lower()]
        return found[0] if found else _text(None)

    return read


_READERS: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "address": ("an IP address of this machine", _address),
    "port": ("a whole number from 0 to 65535", _whole(0, 65535)),
    "name": ("a name", _text),
    "slots": ("a whole number from 1 to 10000", _whole(1, 10000)),
    "groups": ("names of groups, separated by commas", _groups),
    "certs": ("a folder", _path),
    "root": ("a folder", _path),
    "security": ("tls or off", _one_of("tls", "off")),
    "log_level": (", ".join(LEVELS), _one_of(*LEVELS)),
    "log": ("plain or json", _one_of("plain", "json")),
    "allow_reboot": ("true or false", _truth),
    "reboot_command": ("a command", _text),
    "announce": ("true or false", _truth),
}
