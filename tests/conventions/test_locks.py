"""The lock files fit `pyproject.toml`, and every package in them has the digests of its files."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.lock", "requirements-dev.lock"]


class Pin(NamedTuple):
    requirement: Requirement
    digests: list[str]


def pins(lock: str) -> list[Pin]:
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *digests = re.split(r"\s+--hash=", line)
        found.append(Pin(Requirement(requirement), digests))
    return found


def members(group: str) -> Iterator[Requirement]:
    for entry in PROJECT["dependency-groups"][group]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from members(entry["include-group"])


DIRECT = [Requirement(entry) for entry in PROJECT["project"]["dependencies"]]
WANTED = {"requirements.lock": DIRECT, "requirements-dev.lock": [*DIRECT, *members("dev")]}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_exact_versions_and_digests_only(lock: str) -> None:
    for requirement, digests in pins(lock):
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert digests, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in digests), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_fits_the_dependencies(lock: str) -> None:
    locked: dict[str, list[str]] = {}
    for requirement, _ in pins(lock):
        (version,) = requirement.specifier
        locked.setdefault(canonicalize_name(requirement.name), []).append(version.version)
    for wanted in WANTED[lock]:
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted.name} is missing: run scripts/lock.sh"
        assert all(wanted.specifier.contains(version) for version in versions), (wanted, versions)


def test_both_lock_files_have_the_same_releases() -> None:
    """The tests run with the releases that are installed on clients and nodes."""
    tested = {(pin.requirement.name, str(pin.requirement.specifier)) for pin in pins("requirements-dev.lock")}
    assert {
        (pin.requirement.name, str(pin.requirement.specifier)) for pin in pins("requirements.lock")
    } <= tested


def test_few_packages_are_installed() -> None:
    """On Linux, and without the package itself."""
    environment = {"sys_platform": "linux", "platform_system": "Linux", "python_full_version": "3.11.7"}
    names = {
        pin.requirement.name
        for pin in pins("requirements.lock")
        if pin.requirement.marker is None or pin.requirement.marker.evaluate(environment)
    }
    assert len(names) <= 17, sorted(names)
