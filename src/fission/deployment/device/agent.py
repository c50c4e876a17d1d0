"""Runs on a device, sent over ssh: looks at it, installs the node service or removes it. The standard library is enough.

The program that starts this one sets `ORDER` and `PAYLOAD` before. Prints lines of JSON: {"step": TEXT} while
it works, and at the end {"result": ...} or {"error": TEXT, "hint": TEXT}.
"""

import grp
import hashlib
import importlib.util
import json
import os
import platform
import pwd
import shutil
import socket
import string
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ORDER: "dict[str, Any]" = globals().get("ORDER", {})
PAYLOAD: bytes = globals().get("PAYLOAD", b"")


class DeviceError(Exception):
    """Something on the device prevents the work; `args` are the text and a hint."""


def main() -> int:
    """Carry out the order; return the exit code."""
    work = {"probe": probe, "install": install, "remove": remove}[ORDER["do"]]
    try:
        _say(result=work())
    except DeviceError as error:
        text, hint = error.args
        _say(error=text, hint=hint)
        return 1
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        last = lines[-1].removeprefix("error: ") if lines else f"exit code {error.returncode}"
        _say(error=f"{Path(error.cmd[0]).name}: {last[:500]}", hint="")
        return 1
    except OSError as error:
        _say(error=f"{error.filename or 'the device'}: {error.strerror}", hint="")
        return 1
    return 0


def probe() -> "dict[str, Any]":
    """Return what the client must know before it changes anything."""
    prefix = Path(ORDER["prefix"])
    wheels = prefix / "wheels.zip"
    machine = platform.machine()
    if struct.calcsize("P") == 4 and machine == "aarch64":
        machine = "armv7l"  # a 32-bit system on a 64-bit kernel
    versions = sorted(prefix.glob("venv/lib/python*/site-packages/fission-*.dist-info"))
    return {
        "hostname": socket.gethostname(),
        "address": (os.environ.get("SSH_CONNECTION", "").split() or ["", "", ""])[2],
        "machine": machine,
        "system": platform.system(),
        "python": "{}.{}".format(*sys.version_info[:2]),
        "venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        "systemd": os.path.isdir("/run/systemd/system"),
        "free": shutil.disk_usage(_existing(prefix)).free,
        "root": os.geteuid() == 0,
        "sudo": _sudo(),
        "clock": time.time(),
        "wheels": hashlib.sha256(wheels.read_bytes()).hexdigest() if wheels.is_file() else "",
        "version": versions[-1].name.split("-")[1].removesuffix(".dist") if versions else "",
        "active": _active(),
    }


def install() -> "list[str]":
    """Install and start the service; return what has changed."""
    prefix, config, user = Path(ORDER["prefix"]), Path(ORDER["config"]), ORDER["user"]
    changed = []
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        _run("useradd", "--system", "--home-dir", ORDER["state"], "--shell", "/usr/sbin/nologin", user)
        account = pwd.getpwnam(user)
        changed.append("account")
    owner = (account.pw_uid, account.pw_gid)
    for folder in (prefix, config):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if PAYLOAD:
        _write(prefix / "wheels.zip", PAYLOAD)
    _write(prefix / "install.py", ORDER["installer"].encode())
    _say(step="installing")
    packages = json.dumps(ORDER["packages"])
    done = _run("python3", str(prefix / "install.py"), str(prefix), packages, ORDER["mode"])
    if done.strip() == "changed":
        changed.append("package")
    certs = config / "certs"
    certs.mkdir(mode=0o750, exist_ok=True)
    os.chown(certs, 0, owner[1])
    written = [
        _write(certs / name, text.encode(), 0o600 if name == "key.pem" else 0o644, owner)
        for name, text in ORDER["certificate"].items()
    ]
    if any(written):
        changed.append("certificate")
    if not _keeps(config / "node.toml") and _write(config / "node.toml", ORDER["settings"].encode()):
        changed.append("settings")
    if _write(Path(ORDER["unit"]), _unit().encode()):
        changed.append("unit")
    _say(step="starting")
    _start(changed)
    return changed


def remove() -> "list[str]":
    """Stop the service and remove programs and unit; with `data` also settings, certificate and files of networks."""
    unit, prefix = Path(ORDER["unit"]), Path(ORDER["prefix"])
    changed = []
    if unit.exists():
        _run("systemctl", "disable", "--now", "--quiet", "fission")
        unit.unlink()
        _run("systemctl", "daemon-reload")
        changed.append("service")
    for folder in (prefix, *([Path(ORDER["config"]), Path(ORDER["state"])] if ORDER["data"] else [])):
        if folder.exists():
            shutil.rmtree(folder)
            changed.append(str(folder))
    return changed


def _start(changed: "list[str]") -> None:
    """Start the service now and at boot, again if something has changed, and wait until its port is open."""
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", "fission")
    if not _active():
        _run("systemctl", "start", "fission")
        changed.append("started")
    elif changed:
        _run("systemctl", "restart", "fission")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection((ORDER["address"], ORDER["port"]), timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise DeviceError(
        f"the service does not listen on {ORDER['address']} port {ORDER['port']}: {_last_words()}",
        "Look at its log there: journalctl --unit=fission",
    )


def _last_words() -> str:
    command = ["journalctl", "--unit=fission", "--lines=1", "--output=cat", "--no-pager"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        text = ""
    return text[-300:] or "its log is empty"


def _unit() -> str:
    there = {group.gr_name for group in grp.getgrall()}
    return string.Template(ORDER["template"]).substitute(
        fission_prefix=ORDER["prefix"],
        fission_config_dir=ORDER["config"],
        fission_user=ORDER["user"],
        fission_state_dir=ORDER["state"],
        fission_state_name=Path(ORDER["state"]).name,
        fission_unit_groups=" ".join(name for name in ORDER["groups"] if name in there),
        fission_writable="",
        fission_protect_home="true",
    )


def _write(path: Path, data: bytes, mode: int = 0o644, owner: "tuple[int, int]" = (0, 0)) -> bool:
    """Write a file, whole or not at all; return whether it is another one."""
    there = path.is_file() and path.read_bytes() == data
    target = path if there else path.with_name(f"{path.name}.new")
    if not there:
        target.touch(mode=0o600)
        target.write_bytes(data)
    os.chown(target, *owner)
    target.chmod(mode)
    if not there:
        target.replace(path)
    return not there


def _keeps(settings: Path) -> bool:
    """Whether the settings that are there stay, with the changes of their owner: they have all lines that matter."""
    if not settings.is_file() or ORDER["keep"] is None:
        return False
    return set(ORDER["keep"]) <= set(settings.read_text(encoding="utf-8").splitlines())


def _sudo() -> str:
    """Return "yes", "password" or "missing"."""
    if shutil.which("sudo") is None:
        return "missing"
    done = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return "password" if done.returncode else "yes"


def _active() -> bool:
    try:
        return subprocess.run(["systemctl", "is-active", "--quiet", "fission"], check=False).returncode == 0
    except OSError:
        return False


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _run(*command: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
