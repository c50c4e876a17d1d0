"""Collect the wheels that a kind of device needs, in one zip file, on the machine that controls the devices.

Prints "changed" when the file is another one afterwards, else "unchanged". Exit code 1 with one line when a wheel
cannot be had for that kind of device.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PLATFORMS = {
    "x86_64": ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
    "aarch64": ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"],
    "armv7l": ["manylinux_2_31_armv7l", "manylinux_2_17_armv7l", "linux_armv7l"],
}
"""Tags that pip accepts for each machine. PyPI has few wheels for armv7l; `PIP_EXTRA_INDEX_URL` can name another index."""

STAMP = "source.sha256"
"""The member of the zip file that says what it was made from."""


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("source", "target", "machine", "python", "packages"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--dependencies", action=argparse.BooleanOptionalAction, required=True)
    options = parser.parse_args()
    if options.machine not in PLATFORMS:
        print(
            f"error: no wheels are known for {options.machine}; there are {', '.join(PLATFORMS)}",
            file=sys.stderr,
        )
        return 1
    source, target = Path(options.source).resolve(), Path(options.target)
    wanted = [_requirement(one) for one in json.loads(options.packages)]
    stamp = _digest(source, [options.machine, options.python, str(options.dependencies), *wanted])
    if _stamp_of(target) == stamp:
        print("unchanged")
        return 0
    with tempfile.TemporaryDirectory(prefix="fission-wheels-") as folder:
        made = Path(folder) / "wheels"
        try:
            _collect(source, made, options.machine, options.python, wanted if options.dependencies else None)
        except subprocess.CalledProcessError as error:
            print(f"error: pip: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return 1
        _pack(made, stamp, target)
    print("changed")
    return 0


def _stamp_of(target: Path) -> str:
    """Return what a zip file was made from; "" for none, or a damaged one."""
    try:
        with zipfile.ZipFile(target) as file:
            return file.read(STAMP).decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return ""


def _pack(made: Path, stamp: str, target: Path) -> None:
    """Write the zip file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.new")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as file:
        for wheel in sorted(made.glob("*.whl")):
            file.write(wheel, wheel.name)
        file.writestr(STAMP, stamp)
    unfinished.replace(target)


def _requirement(package: "str | dict[str, object]") -> str:
    """Return the requirement that an entry of pip3_packages stands for: a text, or a name with an optional version."""
    if isinstance(package, str):
        return package
    version = package.get("version")
    return f"{package['name']}=={version}" if version else str(package["name"])


def _collect(source: Path, made: Path, machine: str, python: str, wanted: "list[str] | None") -> None:
    _pip("wheel", "--no-deps", "--wheel-dir", str(made), str(source))
    if wanted is None:
        return
    (wheel,) = made.glob("fission-*.whl")
    tags = [f"--platform={tag}" for tag in PLATFORMS[machine]]
    where = [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:", f"--dest={made}"]
    _pip("download", *tags, *where, str(wheel), *wanted)


def _pip(*arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        arguments[0],
        "--quiet",
        "--disable-pip-version-check",
        *arguments[1:],
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _digest(source: Path, more: "list[str]") -> str:
    """Return a digest of everything that the wheels are made from."""
    digest = hashlib.sha256("\0".join(more).encode())
    files = [source / "pyproject.toml", source / "README.md", source / "LICENSE"]
    files += sorted(
        path for path in (source / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    for file in files:
        digest.update(f"{file.relative_to(source)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
