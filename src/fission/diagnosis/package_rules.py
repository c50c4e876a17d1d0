"""Findings about the packages of this machine, from the requirements in the metadata of FISSION."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fission.diagnosis.findings import Finding, Level

__all__ = ["package_findings"]

_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_LEAST: Final = re.compile(r">=\s*(\d+(?:\.\d+)*)")


def package_findings(
    node: str, requirements: Iterable[str], installed: Mapping[str, str]
) -> Iterator[Finding]:
    """Compare requirements (PEP 508) with the versions that are installed, by normal name.

    Requirements of an extra that are missing are no problem. Other markers, such as those of a Python version, are not read:
    such a requirement may be missing.
    """
    wrong: list[str] = []
    extras: dict[str, list[str]] = {}
    for requirement in map(_REQUIREMENT.match, requirements):
        if requirement is None:
            continue
        name, bounds, marker = requirement[1], requirement[2], requirement[3] or ""
        problem = _problem(name, bounds, installed)
        extra = _EXTRA.search(marker)
        if extra is not None:
            extras.setdefault(extra[1], []).extend([problem] * bool(problem))
        elif problem and not marker.strip():
            wrong.append(problem)
    if wrong:
        hint = "Install FISSION again: pip install --upgrade fission"
        yield Finding(Level.ERROR, "package.required", node, "; ".join(wrong), hint)
    else:
        yield Finding(Level.OK, "package.required", node, "all packages that FISSION needs are there")
    for name, missing in extras.items():
        text = f"extra {name}: {'; '.join(missing) or 'installed'}"
        hint = f"If it is wanted: pip install 'fission[{name}]'" if missing else ""
        yield Finding(Level.OK, "package.extra", node, text, hint)


def _problem(name: str, bounds: str, installed: Mapping[str, str]) -> str:
    found = installed.get(re.sub(r"[-_.]+", "-", name).lower())
    if found is None:
        return f"{name} is not installed"
    least = _LEAST.search(bounds)
    if least is not None and _numbers(found) < _numbers(least[1]):
        return f"{name} is {found}, {least[1]} or later is needed"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of a version, without zeros at the end: 2.0 and 2 are the same."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [] if match is None else list(map(int, match[0].split(".")))
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
