"""What a device has reported about itself, and whether the node service can be installed there."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from fission.deployment.wheels import PLATFORMS
from fission.errors import RunError

_LEAST_FREE = 500 << 20
_MOST_CLOCK = 300.0


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device before anything is changed. `sudo` is "yes", "password" or "missing"; `wheels` a digest, "" for none."""

    hostname: str
    address: str
    machine: str
    system: str
    python: str
    venv: bool
    systemd: bool
    free: int
    root: bool
    sudo: str
    clock: float
    wheels: str
    version: str
    active: bool

    @classmethod
    def read(cls, host: str, found: Any) -> "DeviceFacts":
        """Read the answer of a device. Raises RunError."""
        try:
            return cls(**found)
        except TypeError:
            raise RunError("what it says of itself cannot be understood", where=host) from None

    def require_usable(self, host: str, now: float) -> None:
        """Raise RunError, with the fix, for what prevents the installation; `now` is the client's clock."""
        if self.system != "Linux" or not self.systemd:
            raise RunError(
                "the node service needs Linux with systemd",
                where=host,
                found=self.system,
                hint="Run fission-node by hand there",
            )
        if not self.venv:
            raise RunError(
                "its Python has no module venv",
                where=host,
                hint="On the device: sudo apt-get install python3-venv",
            )
        if self.machine not in PLATFORMS:
            raise RunError(
                "its architecture is not supported",
                where=host,
                expected=f"one of {', '.join(PLATFORMS)}",
                found=self.machine,
            )
        if self.free < _LEAST_FREE:
            raise RunError(
                "its disk is full",
                where=host,
                expected=f"{_LEAST_FREE >> 20} MB free for /opt/fission",
                found=f"{self.free >> 20} MB",
                hint="Free some space: sudo apt-get clean",
            )
        if abs(self.clock - now) > _MOST_CLOCK:
            raise RunError(
                f"its clock is {abs(self.clock - now):.0f} s {'ahead of' if self.clock > now else 'behind'} this machine's,"
                " and certificates would not be valid yet",
                where=host,
                hint="Set it: sudo timedatectl set-ntp true",
            )
        self._require_address(host)

    def require_root(self, host: str, *, password: bool) -> None:
        """Raise RunError unless commands can run as root there; `password` says whether there is one for sudo."""
        if self.root or self.sudo == "yes" or (self.sudo == "password" and password):
            return
        if self.sudo == "missing":
            raise RunError("it has no sudo", where=host, hint="Log in as root: root@HOST")
        raise RunError("sudo asks for a password", where=host, hint="Add --ask-sudo-password")

    def _require_address(self, host: str) -> None:
        try:
            address = ip_address(self.address)
        except ValueError:
            address = None
        if address is None or address.is_link_local:
            raise RunError(
                "clients cannot use the address that ssh connects to",
                where=host,
                found=self.address[:60],
                hint="Name the device by its IPv4 address",
            )
