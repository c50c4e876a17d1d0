"""The program of an `ExecutableJob`: its command, its file, and why it cannot be started."""

import os
import platform
import shlex
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

__all__ = ["find_program", "foreign_machine", "parameters", "why_not_executable", "words"]

_ELF = b"\x7fELF"
_MACHINES = {
    3: ("i386", {"i386", "i486", "i586", "i686", "x86_64"}),
    40: ("arm", {"armv5tel", "armv6l", "armv7l", "armv8l", "aarch64"}),
    62: ("x86_64", {"x86_64"}),
    183: ("aarch64", {"aarch64"}),
    243: ("riscv", {"riscv32", "riscv64"}),
}
"""ELF machine numbers: the usual name, and the machines that can run them."""


def words(text: str, folders: Sequence[Path]) -> list[str]:
    """Split EXECUTABLE into a command and its first parameters; the name of a file is never split.

    Raises ValueError when a quotation is not closed.
    """
    if any((folder / text).is_file() for folder in folders):
        return [text]
    return shlex.split(text)


def parameters(value: str | Sequence[object]) -> list[str]:
    """Return PARAMETERS as a list. Raises ValueError when a quotation is not closed."""
    return shlex.split(value) if isinstance(value, str) else [str(one) for one in value]


def find_program(command: str, folders: Sequence[Path]) -> Path | None:
    """Find a command: a file in one of the folders, else, if it has no slash, an installed program."""
    for folder in folders:
        if (folder / command).is_file():
            return folder / command
    if os.path.isabs(command):
        return Path(command) if os.path.isfile(command) else None
    found = None if "/" in command else shutil.which(command)
    return Path(found) if found else None


def why_not_executable(path: Path) -> str:
    """Return why a file cannot be executed, in a few words; "" when it can."""
    if not os.access(path, os.X_OK):
        return "it has no permission to be executed"
    start = _start(path)
    if start.startswith(_ELF):
        return ""
    if not start.startswith(b"#!"):
        return "it is neither a program nor a script that begins with #!"
    interpreter = start[2:].split(b"\n")[0].strip().split(b" ")[0].rstrip(b"\r").decode("utf-8", "replace")
    if not os.path.exists(interpreter):
        return f"there is no {interpreter}, which its first line names"
    if start.split(b"\n")[0].endswith(b"\r"):
        return "its lines end as on Windows, with CR LF"
    return ""


def foreign_machine(path: Path) -> str:
    """Return the machine that a program was built for, if this is another one; else ""."""
    start = _start(path)
    if not start.startswith(_ELF) or len(start) < 20:
        return ""
    order = ">" if start[5] == 2 else "<"
    (number,) = struct.unpack_from(f"{order}H", start, 18)
    name, runs_on = _MACHINES.get(number, (f"machine {number} of ELF", set()))
    return "" if platform.machine() in runs_on else name


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError:
        return b""
