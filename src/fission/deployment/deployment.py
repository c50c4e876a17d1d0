"""Steps of a deployment for one host, each in the calling thread: look, install, remove."""

import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fission.deployment.device_facts import DeviceFacts
from fission.deployment.order import device_file, layout, node_settings
from fission.deployment.ssh import Say, Ssh
from fission.deployment.wheels import collect_wheels
from fission.errors import RunError, UserError

_HOST = re.compile(r"([\w.-]+@)?[\w:.%-]+")
CERTIFICATE_FILES: Final = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Package:
    """The wheels for one kind of device, in a zip file."""

    data: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What all hosts have the same."""

    port: int
    packages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    offline: bool = False

    @property
    def mode(self) -> str:
        """The word for the installer on the device."""
        return "offline" if self.offline else "online"

    def package_for(self, facts: DeviceFacts) -> Package:
        """Collect the wheels for a device, or take them from the cache. Raises RunError."""
        target = _cache() / f"{facts.machine}-{facts.python}-{self.mode}.zip"
        packages = list(self.packages) if self.offline else []
        collect_wheels(
            target, machine=facts.machine, python=facts.python, packages=packages, dependencies=self.offline
        )
        data = target.read_bytes()
        return Package(data, hashlib.sha256(data).hexdigest())


def check_host(host: str) -> str:
    """Return the host. Raises UserError for a text that is no [USER@]HOST."""
    if host.startswith("-") or _HOST.fullmatch(host) is None:
        raise UserError("this is no [USER@]HOST", found=repr(host[:100]), hint="For example pi@192.168.4.2")
    return host


def look(ssh: Ssh, host: str) -> DeviceFacts:
    """Ask a device about itself; it stays as it is. Raises RunError."""
    return DeviceFacts.read(host, ssh.order(host, {"do": "probe"}, root=False))


def node_name(host: str, facts: DeviceFacts, used: Mapping[str, str]) -> str:
    """Return a name for the node that no other address has: its host name, the one it was called by, or with its address."""
    for name in (facts.hostname, host.rpartition("@")[2]):
        if used.get(name, facts.address) == facts.address:
            return name
    return f"{facts.hostname}-{facts.address}"


def install(
    ssh: Ssh,
    host: str,
    facts: DeviceFacts,
    package: Package,
    certificate: Path,
    name: str,
    plan: Plan,
    say: Say,
) -> list[str]:
    """Install and start the service; return what has changed on the device. Raises RunError."""
    carried = b"" if facts.wheels == package.digest else package.data
    if carried:
        say(f"copying {len(carried) / 1e6:.1f} MB")
    order = {
        "do": "install",
        "address": facts.address,
        "port": plan.port,
        "packages": plan.packages,
        "mode": plan.mode,
        "installer": device_file("install.py"),
        "template": device_file("fission.service"),
        "certificate": {one: (certificate / one).read_text(encoding="ascii") for one in CERTIFICATE_FILES},
        "keep": None if plan.groups else [f'address = "{facts.address}"', f"port = {plan.port}"],
        "settings": node_settings(address=facts.address, port=plan.port, name=name, groups=plan.groups),
    }
    changed = ssh.order(host, order, carried, root=not facts.root, say=say)
    return [str(one)[:100] for one in changed]


def remove(ssh: Ssh, host: str, facts: DeviceFacts, *, data: bool) -> list[str]:
    """Remove the service, with `data` all its files; return what was removed. Raises RunError."""
    removed = ssh.order(host, {"do": "remove", "data": data}, root=not facts.root)
    return [str(one)[:100] for one in removed]


def require_same(host: str, facts: DeviceFacts, package: Package) -> None:
    """Raise RunError when a device has another package than this one."""
    if facts.wheels and facts.wheels != package.digest:
        raise RunError(
            f"another package of FISSION is installed there (version {facts.version or 'unknown'})",
            where=host,
            hint="Add --upgrade",
        )


def check_now(host: str, facts: DeviceFacts, *, password: bool) -> None:
    """Raise RunError for what prevents an installation."""
    facts.require_usable(host, time.time())
    facts.require_root(host, password=password)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "fission" / "wheels"


__all__ = [
    "Package",
    "Plan",
    "check_host",
    "check_now",
    "install",
    "layout",
    "look",
    "node_name",
    "remove",
    "require_same",
]
