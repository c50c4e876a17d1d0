"""Checks of this machine: its load, its packages, its certificates, the port of a node service."""

import datetime as dt
import errno
import os
import platform
import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from fission.core.network import Settings
from fission.diagnosis.facts import CLIENT, CertificateFacts
from fission.diagnosis.findings import Finding, Level
from fission.diagnosis.machine_rules import certificate_finding, machine_findings
from fission.diagnosis.package_rules import package_findings
from fission.engine.node.machine import measure_machine
from fission.engine.protocol.versions import installed_versions
from fission.management.commands.devices.certs import FOLDER
from fission.management.node.options import CERTS
from fission.security.errors import CertificateError
from fission.security.identity import IdentityFiles, read_identity
from fission.security.store import CertificateStore

_NODE_SERVICE = "fission-node"


def check_machine(folder: Path, *, extras: bool) -> Iterator[Finding]:
    """Check this machine, the disk of `folder`, and the packages of FISSION, with `extras` also optional ones."""
    yield from machine_findings(CLIENT, measure_machine(folder))
    versions = installed_versions()
    text = f"FISSION {versions.get('fission', 'of a folder')}, Python {platform.python_version()}"
    yield Finding(Level.OK, "version.fission", CLIENT, text)
    for finding in package_findings(CLIENT, metadata.requires("fission") or (), versions):
        if extras or finding.id != "package.extra":
            yield finding


def check_node_port(port: int = Settings().node_port) -> Iterator[Finding]:
    """Check that the port is free, or that a node service has it."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return
        else:
            yield Finding(Level.OK, "port.free", CLIENT, f"port {port} is free: no node service runs here")
            return
    if any(process.name() == _NODE_SERVICE for process in _processes()):
        yield Finding(Level.OK, "port.free", CLIENT, f"port {port} is in use, and a node service runs here")
        return
    text = f"port {port} is in use, and not by a node service: none could start here"
    hint = (
        f"`sudo ss -ltnp 'sport = :{port}'` shows which program it is; fission-node --port takes another one"
    )
    yield Finding(Level.WARNING, "port.free", CLIENT, text, hint)


def _processes() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name"]):
        try:
            process.name()
        except psutil.Error:
            continue  # it has ended
        yield process


def check_certificates(root: Path) -> Iterator[Finding]:
    """Check the certificates in the store of a folder, and those of a node service on this machine."""
    now = dt.datetime.now(dt.UTC)
    store = CertificateStore(root / FOLDER)
    entries = store.entries()
    for entry in entries:
        what = entry.what if entry.what == entry.name else f"{entry.what} {entry.name}"
        facts = CertificateFacts(f"certificate of {what}", entry.not_before, entry.not_after, entry.problem)
        yield certificate_finding(CLIENT, facts, now)
    if os.access(IdentityFiles(CERTS).key, os.R_OK):  # else it is for the user of the node service
        yield certificate_finding(CLIENT, own_certificate(CERTS), now)
    elif not entries:
        text = f"there are no certificates in {store.folder}"
        hint = "For nodes on other machines: fission certs --node ADDRESS, or fission deploy"
        yield Finding(Level.OK, "certificate.own", CLIENT, text, hint)


def own_certificate(folder: Path) -> CertificateFacts:
    """Return the certificate in a folder of this machine, or why it cannot be used."""
    what = f"certificate in {folder}"
    try:
        identity = read_identity(folder)
    except CertificateError as error:
        return CertificateFacts(what, problem=error.what, hint=error.hint)
    return CertificateFacts(what, identity.not_before, identity.not_after)
