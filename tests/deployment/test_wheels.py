"""The wheel that devices get is what is installed here."""

import hashlib
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import fission
from fission.deployment.wheels import REQUIREMENTS, STAMP, collect_wheels, pack_installed
from fission.errors import RunError


def test_the_wheel_can_be_installed_and_has_all_files(tmp_path: Path) -> None:
    wheel = pack_installed(tmp_path)
    target = tmp_path / "target"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        f"--target={target}",
    ]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    package = Path(fission.__file__).parent

    def files(folder: Path) -> set[str]:
        found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {str(path.relative_to(folder)) for path in found}

    assert files(target / "fission") == files(package)
    scripts = {
        one.name for one in metadata.distribution("fission").entry_points if one.group == "console_scripts"
    }
    assert {path.name for path in (target / "bin").iterdir()} == scripts


def test_equal_contents_give_an_equal_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = pack_installed(tmp_path / "one"), pack_installed(tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()


def test_a_second_time_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "wheels.zip"

    def collect() -> bool:
        return collect_wheels(target, machine="aarch64", python="3.12", packages=[], dependencies=False)

    assert collect()
    assert not collect()
    target.write_bytes(b"damaged")
    assert collect()


def test_dependencies_are_kept_while_the_requirements_are_the_same(tmp_path: Path) -> None:
    target = tmp_path / "wheels.zip"
    collect_wheels(target, machine="x86_64", python="3.11", packages=["numpy"], dependencies=False)
    with zipfile.ZipFile(target) as file:
        other = file.read(REQUIREMENTS).decode()
    requirements = _requirements_of("x86_64", tmp_path)
    assert other != requirements  # an online package has none
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("numpy-9.whl", b"kept")
        file.writestr("fission-0.0.1-py3-none-any.whl", b"old")
        file.writestr(STAMP, "old")
        file.writestr(REQUIREMENTS, requirements)
    assert collect_wheels(target, machine="x86_64", python="3.11", packages=["numpy"], dependencies=True)
    with zipfile.ZipFile(target) as file:
        assert file.read("numpy-9.whl") == b"kept"
        assert "fission-0.0.1-py3-none-any.whl" not in file.namelist()


def _requirements_of(machine: str, folder: Path) -> str:
    needed = [one for one in metadata.requires("fission") or () if "extra ==" not in one]
    required = [machine, "3.11", "True", "numpy", *needed]
    return hashlib.sha256("\0".join(required).encode()).hexdigest()


def test_an_unknown_machine(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^riscv64: no wheels are known for it; expected one of x86_64, "):
        collect_wheels(tmp_path / "x.zip", machine="riscv64", python="3.11", packages=[], dependencies=True)
