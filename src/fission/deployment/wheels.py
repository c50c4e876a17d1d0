"""Collects the wheels that a kind of device needs in one zip file: FISSION as it is installed here, and its dependencies.

`python -m fission.deployment.wheels` does it for Ansible. It prints "changed" when the file is another one afterwards, else
"unchanged".
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Final

from fission import errors
from fission.errors import RunError

PLATFORMS: Final = {
    "x86_64": ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
    "aarch64": ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"],
    "armv7l": ["manylinux_2_31_armv7l", "manylinux_2_17_armv7l", "linux_armv7l"],
}
"""Tags that pip accepts for each machine. PyPI has few wheels for armv7l; `PIP_EXTRA_INDEX_URL` can name another index."""

STAMP: Final = "source.sha256"
"""The member of the zip file that says what it was made from."""

REQUIREMENTS: Final = "requirements.sha256"
"""The member that says what its dependencies were chosen by. While that is the same, they are kept, without an index."""

_WHEEL = "Wheel-Version: 1.0\nGenerator: fission\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ONE_DATE = (2020, 1, 1, 0, 0, 0)
"""Equal contents give equal files."""


def collect_wheels(
    target: Path, *, machine: str, python: str, packages: list[str], dependencies: bool
) -> bool:
    """Write the zip file unless it is there already; return whether it was written.

    `python` is a version such as "3.11". Without `dependencies` the file has FISSION only, and the device installs the rest
    from its package index. Raises RunError when a wheel cannot be had for that kind of device.
    """
    if machine not in PLATFORMS:
        raise RunError("no wheels are known for it", where=machine, expected=f"one of {', '.join(PLATFORMS)}")
    with tempfile.TemporaryDirectory(prefix="fission-wheels-") as folder:
        made = Path(folder)
        wheel = pack_installed(made)
        needed = [one for one in metadata.requires("fission") or () if "extra ==" not in one]
        required = [machine, python, str(dependencies), *packages, *needed]
        requirements = hashlib.sha256("\0".join(required).encode()).hexdigest()
        stamp = hashlib.sha256(requirements.encode() + wheel.read_bytes()).hexdigest()
        if _member(target, STAMP) == stamp:
            return False
        if dependencies and _member(target, REQUIREMENTS) == requirements:
            _keep_dependencies(target, made)
        elif dependencies:
            tags = [f"--platform={tag}" for tag in PLATFORMS[machine]]
            where = [
                f"--python-version={python}",
                "--implementation=cp",
                "--only-binary=:all:",
                f"--dest={made}",
            ]
            _download(*tags, *where, str(wheel), *packages)
        _pack(made, {STAMP: stamp, REQUIREMENTS: requirements}, target)
    return True


def pack_installed(folder: Path) -> Path:
    """Write the wheel of FISSION as it is installed here, also from a clone; return its path."""
    about = metadata.distribution("fission")
    info = f"fission-{about.version}.dist-info"
    package = Path(errors.__file__).parent
    members = {
        f"fission/{path.relative_to(package)}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    members[f"{info}/METADATA"] = (about.read_text("METADATA") or "").encode()
    members[f"{info}/WHEEL"] = _WHEEL.encode()
    members[f"{info}/entry_points.txt"] = (about.read_text("entry_points.txt") or "").encode()
    for file in about.files or ():
        _, mark, name = str(file).partition(".dist-info/licenses/")
        if mark:
            members[f"{info}/licenses/{name}"] = file.read_binary()
    lines = [f"{name},sha256={_sha256(data)},{len(data)}\n" for name, data in members.items()]
    members[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    wheel = folder / f"fission-{about.version}-py3-none-any.whl"
    _zip(wheel, members, zipfile.ZIP_DEFLATED)
    return wheel


def main() -> int:
    """Entry point for Ansible."""
    parser = argparse.ArgumentParser(description="Collect the wheels that a kind of device needs.")
    for option in ("target", "machine", "python", "packages"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--dependencies", action=argparse.BooleanOptionalAction, required=True)
    options = parser.parse_args()
    try:
        changed = collect_wheels(
            Path(options.target),
            machine=options.machine,
            python=options.python,
            packages=[_requirement(one) for one in json.loads(options.packages)],
            dependencies=options.dependencies,
        )
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - Ansible shows it
        return 1
    print("changed" if changed else "unchanged")  # noqa: T201 - Ansible reads it
    return 0


def _member(target: Path, name: str) -> str:
    """Return the text of a member of a zip file; "" if there is none, or the file is damaged."""
    try:
        with zipfile.ZipFile(target) as file:
            return file.read(name).decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return ""


def _keep_dependencies(target: Path, made: Path) -> None:
    with zipfile.ZipFile(target) as file:
        names = [
            name for name in file.namelist() if name.endswith(".whl") and not name.startswith("fission-")
        ]
        file.extractall(made, names)  # only file names, in a file that `_pack` wrote


def _pack(made: Path, stamps: dict[str, str], target: Path) -> None:
    """Write the zip file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    members = {wheel.name: wheel.read_bytes() for wheel in sorted(made.glob("*.whl"))}
    unfinished = target.with_name(f"{target.name}.new")
    _zip(unfinished, members | {name: text.encode() for name, text in stamps.items()}, zipfile.ZIP_STORED)
    unfinished.replace(target)


def _zip(target: Path, members: dict[str, bytes], compression: int) -> None:
    with zipfile.ZipFile(target, "w") as file:
        for name, data in members.items():
            about = zipfile.ZipInfo(name, _ONE_DATE)
            about.external_attr = 0o100644 << 16
            file.writestr(about, data, compression)


def _sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _requirement(package: str | dict[str, object]) -> str:
    """Return the requirement that an entry of pip3_packages stands for: a text, or a name with an optional version."""
    if isinstance(package, str):
        return package
    version = package.get("version")
    return f"{package['name']}=={version}" if version else str(package["name"])


def _download(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip, with wheels by name
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gives no reason"]
        raise RunError(
            lines[-1].removeprefix("ERROR: ")[:500],
            where="pip download",
            hint="Wheels are collected on this machine, which needs pip and its package index for that",
        )


if __name__ == "__main__":
    sys.exit(main())
