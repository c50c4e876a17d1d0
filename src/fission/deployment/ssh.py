"""Programs on devices, through the ssh of this system: its configuration, agents and jump hosts apply.

All commands for one host share a connection (ControlMaster).
"""

import contextlib
import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fission.deployment.order import BOOT, PYTHON, message
from fission.errors import RunError, UserError

Say = Callable[[str], None]

_CONNECTION_FAILED = 255
_NOT_FOUND = 127
_MAX_TEXT = 500
_FIXES = (
    ("Permission denied", "Let your key in there: ssh-copy-id {host}"),
    ("Could not resolve hostname", "Check the name, or use the address of the device"),
    ("IDENTIFICATION HAS CHANGED", "If the device was set up anew: ssh-keygen -R {name}"),
    ("Host key verification failed", "Connect once by hand, and compare the fingerprint: ssh {host}"),
    ("Connection refused", "Start its ssh service there: sudo systemctl enable --now ssh"),
    ("timed out", "Check that the device is on, and in this network"),
    ("No route to host", "Check that the device is on, and in this network"),
)
_PYTHON_FIX = "sudo apt-get install python3 python3-venv"


class Ssh:
    """Runs orders on hosts. `with Ssh.connections() as ssh`; its methods may be called from several threads."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._passwords: dict[str, str] = {}
        self._hosts: set[str] = set()

    @classmethod
    @contextlib.contextmanager
    def connections(cls) -> Iterator["Ssh"]:
        """Share connections until the end of the block. Raises UserError without ssh."""
        program = shutil.which("ssh")
        if program is None:
            raise UserError(
                "the program ssh is not installed", hint="Install it: sudo apt-get install openssh-client"
            )
        with tempfile.TemporaryDirectory(prefix="fission-ssh-") as folder:
            ssh = cls(program, Path(folder))
            try:
                yield ssh
            finally:
                ssh.close()

    def remember_password(self, host: str, password: str) -> None:
        """Set the sudo password of a host."""
        self._passwords[host] = password

    def log_in(self, host: str) -> bool:
        """Connect with questions on the terminal, and keep the connection; return whether that worked."""
        command = [*self._command(host, "BatchMode=no"), "true"]
        self._hosts.add(host)
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - ssh, with a checked host

    def order(
        self,
        host: str,
        order: dict[str, Any],
        payload: bytes = b"",
        *,
        root: bool = True,
        say: Say = lambda _: None,
    ) -> Any:
        """Carry out an order on a host; return its result. `say` hears what it does. Raises RunError with a hint."""
        program = f"python3 -c {shlex.quote(BOOT)}"
        given = message(order, payload)
        if root:
            password = self._passwords.get(host)
            program = f"sudo -n {program}" if password is None else f"sudo -S -p '' {program}"
            given = given if password is None else f"{password}\n".encode() + given
        self._hosts.add(host)
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as stdin:
            # files, not pipes: ssh leaves a shared connection behind, which would hold a pipe open
            stdin.write(given)
            stdin.seek(0)
            process = subprocess.Popen(  # noqa: S603 - ssh, with a checked host
                [*self._command(host, "BatchMode=yes"), program],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            )
            try:
                last = _read(process, say)
                code = process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                if process.stdout:
                    process.stdout.close()
            errors.seek(0)
            text = errors.read().decode(errors="replace")
        return _result(host, last, code, text, password=root and host in self._passwords)

    def close(self) -> None:
        """End the shared connections."""
        for host in self._hosts:
            command = [*self._command(host, "BatchMode=yes")[:-2], "-O", "exit", "--", host]
            subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - ssh, with a checked host

    def _command(self, host: str, *options: str) -> list[str]:
        shared = (
            *options,
            "ControlMaster=auto",
            "ControlPersist=60",
            f"ControlPath={self._folder}/%C",
            "ConnectTimeout=10",
            "ServerAliveInterval=10",
            "ServerAliveCountMax=3",
        )
        return [self._program, "-T", *(word for option in shared for word in ("-o", option)), "--", host]


def _read(process: "subprocess.Popen[str]", say: Say) -> dict[str, Any]:
    """Read the lines of a device until its last; pass its steps on."""
    last: dict[str, Any] = {}
    for line in process.stdout or ():
        try:
            words = json.loads(line[:65536])
        except ValueError:
            continue  # a greeting of the login shell
        if isinstance(words, dict) and "step" in words:
            say(str(words["step"])[:_MAX_TEXT])
        elif isinstance(words, dict):
            last = words
    return last


def _result(host: str, last: dict[str, Any], code: int, text: str, *, password: bool) -> Any:
    if "result" in last:
        return last["result"]
    if "error" in last:
        raise RunError(str(last["error"])[:_MAX_TEXT], where=host, hint=str(last.get("hint", ""))[:_MAX_TEXT])
    needed = ".".join(map(str, PYTHON))
    if "old" in last:
        raise RunError(
            "its Python is too old",
            where=host,
            expected=f"{needed} or newer",
            found=str(last["old"])[:20],
            hint="Install a system with a newer Python: Debian 12, Raspberry Pi OS 12, Ubuntu 24.04",
        )
    if code == _NOT_FOUND or "python3: command not found" in text or "python3: not found" in text:
        raise RunError(
            "Python is not installed",
            where=host,
            expected=f"{needed} or newer",
            hint=f"On the device: {_PYTHON_FIX}",
        )
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if "sudo:" in text:
        reason = [line for line in lines if "sudo:" in line][-1]
        hint = "Check the sudo password" if password else "Give the sudo password: --ask-sudo-password"
        raise RunError(reason[:_MAX_TEXT], where=host, hint=hint)
    name = host.rpartition("@")[2]
    fix = next((fix.format(host=host, name=name) for mark, fix in _FIXES if mark in text), "")
    reason = lines[-1].rstrip(".") if lines else f"ssh ended with exit code {code}"
    what = "ssh does not connect: " if code == _CONNECTION_FAILED else ""
    raise RunError(f"{what}{reason[:_MAX_TEXT]}", where=host, hint=fix or f"Try it by hand: ssh {host} true")
