"""Install FISSION and the packages of jobs into the virtual environment of the service; runs on the device.

`install.py PREFIX REQUIREMENTS (JSON) online|offline`: PREFIX has `wheels.zip` and gets `venv`. Prints "changed" or "unchanged".
A new environment replaces the old one only when everything is installed.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def main() -> int:
    """Entry point."""
    prefix, packages, offline = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "offline"
    wheels, venv = prefix / "wheels", prefix / "venv"
    archive = prefix / "wheels.zip"
    stamp = hashlib.sha256(
        archive.read_bytes() + "\0".join(sys.argv[2:]).encode() + sys.version.encode()
    ).hexdigest()
    note = venv / ".installed"
    if note.is_file() and note.read_text(encoding="utf-8") == stamp:
        print("unchanged")
        return 0
    shutil.rmtree(wheels, ignore_errors=True)
    with zipfile.ZipFile(archive) as file:
        file.extractall(wheels, [name for name in file.namelist() if name.endswith(".whl")])
    (wheel,) = wheels.glob("fission-*.whl")
    note.unlink(missing_ok=True)  # until all is installed
    try:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True, text=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-index", "--find-links", str(wheels)] if offline else []
        _run([*pip, "--upgrade", str(wheel), *(_requirement(one) for one in packages)])
        _run([*pip, "--force-reinstall", "--no-deps", str(wheel)])  # the same version may have other contents
    except subprocess.CalledProcessError as error:
        print(f"error: {(error.stderr or error.stdout).strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    note.write_text(stamp, encoding="utf-8")
    shutil.rmtree(wheels)
    print("changed")
    return 0


def _requirement(package: "str | dict[str, object]") -> str:
    """Return the requirement that an entry of pip3_packages stands for: a text, or a name with an optional version."""
    if isinstance(package, str):
        return package
    version = package.get("version")
    return f"{package['name']}=={version}" if version else str(package["name"])


def _run(command: "list[str]") -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
