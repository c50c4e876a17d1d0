"""The system that all machines start from: built once by debootstrap, never written to afterwards."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from lab.shell import LabError, system
from lab.shell import unavailable as namespaces_unavailable

RELEASE = "bookworm"
_TOOLS = ("debootstrap", "systemd-nspawn", "ssh", "ssh-keygen", "nsenter")
_PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,python3,python3-venv,python3-apt,sudo,iproute2,ca-certificates"
)
_BUILD_SECONDS = 600


@cache
def unavailable() -> str:
    """Return why no machines can be booted here, or ""."""
    if why := namespaces_unavailable():
        return why
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found: install debootstrap, systemd-container and openssh-client"
    if not _mirror():
        return "no Debian mirror is configured in /etc/apt"
    return ""


def image() -> Path:
    """Return the folder of the base system; build it if it is not there (about a minute). Raises LabError."""
    folder = Path(os.environ.get("FISSION_MACHINES", Path.home() / ".cache" / "fission-machines"))
    base = folder / RELEASE
    if base.is_dir():
        return base
    unfinished = folder / f"{RELEASE}.{os.getpid()}"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "debootstrap",
        "--variant=minbase",
        f"--include={_PACKAGES}",
        RELEASE,
        str(unfinished),
        _mirror(),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
        if done.returncode:
            raise LabError(f"debootstrap: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
        unfinished.rename(base)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return base


def overlay(base: Path, folder: Path) -> Path:
    """Mount a writable view of the base system; return where. Undo it with `umount`."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    root = folder / "root"
    layers = f"lowerdir={base},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    system("mount", "-t", "overlay", "fission-machine", "-o", layers, str(root))
    return root


def _mirror() -> str:
    """Return the first mirror that this machine's own package manager uses, or ""."""
    folder = Path("/etc/apt/sources.list.d")  # apt ignores files with other suffixes, and so does this
    files = [*sorted(folder.glob("*.sources")), Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if line.startswith("URIs:") and len(words) > 1:
                return words[1]
            if line.startswith("deb "):
                return next((word for word in words if "://" in word), "")
    return ""
