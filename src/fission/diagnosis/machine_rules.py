"""Findings about one machine and its certificates."""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from fission.diagnosis.facts import CLIENT, CertificateFacts, MachineFacts
from fission.diagnosis.findings import Finding, Level

__all__ = ["DEVICE_GROUPS", "certificate_finding", "machine_findings", "size"]

DEVICE_GROUPS: Final = ("audio", "video", "dialout", "gpio", "i2c", "spi", "plugdev")
"""Groups of users that may open devices; the node service that `fission deploy` installs is in those that exist."""

_MB: Final = 1 << 20
_DISK: Final = (500 * _MB, 100 * _MB)
_MEMORY: Final = (128 * _MB, 32 * _MB)
"""Free bytes below which there is a warning, and an error."""
_FILES: Final = 4096
_EXPIRING: Final = dt.timedelta(days=30)
_RENEW: Final = "fission certs --renew, then copy the folders of the nodes to them and restart their services"


def machine_findings(node: str, facts: MachineFacts) -> Iterator[Finding]:
    """Judge a machine; what was not measured has no finding."""
    if facts.disk_free >= 0:
        text = f"{size(facts.disk_free)} free for files of jobs"
        hint = "Remove old files: `df -h` shows the disks, `fission shell` has removedata"
        yield _at_least(facts.disk_free, _DISK, "disk.free", node, text, hint)
    if facts.memory_free >= 0:
        text = f"{size(facts.memory_free)} of memory free"
        yield _at_least(
            facts.memory_free, _MEMORY, "memory.free", node, text, "`top -o %MEM` shows what uses it"
        )
    if facts.files >= 0:
        text = f"a process may open {facts.files} files"
        hint = f"Raise the hard limit to {_FILES} or more: `ulimit -Hn`, or LimitNOFILE= in the unit"
        yield _at_least(facts.files, (_FILES, 64), "files.limit", node, text, hint)
    if facts.clock:
        yield _synchronized(node, facts.clock)
    if facts.user:
        yield _groups(node, facts)
    if facts.mesh and facts.mesh != "none":
        yield _mesh(node, facts.mesh)


def certificate_finding(node: str, facts: CertificateFacts, now: dt.datetime) -> Finding:
    """Judge the time of a certificate. `now` is this machine's time (UTC)."""
    if facts.problem or facts.not_before is None or facts.not_after is None:
        return Finding(
            Level.ERROR,
            "certificate.own",
            node,
            f"{facts.what}: {facts.problem or 'it has no time'}",
            facts.hint,
        )
    if now < facts.not_before:
        text = f"{facts.what}: not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"
        return Finding(
            Level.ERROR,
            "certificate.time",
            node,
            text,
            f"This machine shows {now:%Y-%m-%d %H:%M} UTC. Is that right?",
        )
    if now >= facts.not_after:
        text = f"{facts.what}: expired on {facts.not_after:%Y-%m-%d}"
        return Finding(Level.ERROR, "certificate.time", node, text, _RENEW)
    left = facts.not_after - now
    text = f"{facts.what}: valid until {facts.not_after:%Y-%m-%d} ({left.days} days)"
    if left < _EXPIRING:
        return Finding(Level.WARNING, "certificate.time", node, text, _RENEW)
    return Finding(Level.OK, "certificate.time", node, text)


def size(count: int) -> str:
    """Format a number of bytes."""
    return f"{count / (1 << 30):.1f} GB" if count >= 1 << 30 else f"{count / _MB:.0f} MB"


def _at_least(found: int, limits: tuple[int, int], id: str, node: str, text: str, hint: str) -> Finding:
    warning, error = limits
    level = Level.OK if found >= warning else Level.WARNING if found >= error else Level.ERROR
    return Finding(level, id, node, text, "" if level is Level.OK else hint)


def _synchronized(node: str, clock: str) -> Finding:
    if clock == "synchronized":
        return Finding(Level.OK, "clock.sync", node, "the clock is synchronized")
    hint = "sudo timedatectl set-ntp true; without internet, a time server in the local network"
    return Finding(Level.WARNING, "clock.sync", node, f"the clock is {clock}", hint)


def _groups(node: str, facts: MachineFacts) -> Finding:
    if not facts.other_groups or facts.user == "root":
        return Finding(Level.OK, "groups.user", node, f"user {facts.user} may open the usual devices")
    text = f"user {facts.user} is not in {', '.join(facts.other_groups)}: its jobs cannot open these devices"
    if node == CLIENT:  # few jobs run here
        return Finding(Level.OK, "groups.user", node, text)
    hint = f"If jobs need them: sudo usermod -aG {','.join(facts.other_groups)} {facts.user}, and restart"
    return Finding(Level.WARNING, "groups.user", node, text, hint)


def _mesh(node: str, mesh: str) -> Finding:
    if mesh == "ok":
        return Finding(Level.OK, "mesh.batctl", node, "batctl reads the quality of the links")
    hint = (
        "Install batctl, and allow it in the service: systemctl edit fission, below [Service] the lines"
        " AmbientCapabilities=CAP_NET_ADMIN and CapabilityBoundingSet=CAP_NET_ADMIN. Until then all links count as perfect"
    )
    return Finding(Level.WARNING, "mesh.batctl", node, f"the mesh cannot be read: {mesh}", hint)
