"""Loads and checks a network, and prints its problems."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from fission.core.network import Network, Problem
from fission.errors import NetworkError
from fission.project.checks import check
from fission.project.load import load_network
from fission.project.suggest import counted

_RED, _YELLOW, _DIM, _END = "\033[31m", "\033[33m", "\033[2m", "\033[0m"


def load_and_check(root: Path, name: str) -> tuple[Network, tuple[Problem, ...]]:
    """Load a network and return it with all its problems. Raises ProjectError and ConfigError."""
    network, problems = load_network(root, name)
    return network, (*problems, *check(network))


def load_valid(root: Path, name: str, *, quiet: bool = False) -> Network:
    """Load a network without errors; its warnings go to stderr unless `quiet`.

    Raises NetworkError after printing the errors, if there are any; ProjectError and ConfigError.
    """
    return _without_errors(*load_and_check(root, name), quiet=quiet)


def require_valid(network: Network, problems: Iterable[Problem]) -> Network:
    """Check a loaded network and return it, as `load_valid`; `problems` are those found while it was loaded."""
    return _without_errors(network, (*problems, *check(network)), quiet=False)


def _without_errors(network: Network, problems: tuple[Problem, ...], *, quiet: bool) -> Network:
    errors = [problem for problem in problems if problem.level == "error"]
    show_problems(errors if quiet else problems, sys.stderr)
    if errors:
        raise NetworkError(
            f"the network cannot run: {count(problems)}", where=f"network {network.name}", problems=errors
        )
    return network


def show_problems(problems: Iterable[Problem], stream: TextIO) -> None:
    """Print problems, each with its hint below; in color on a terminal."""
    color = stream.isatty() and "NO_COLOR" not in os.environ
    for problem in problems:
        level = f"{problem.level} {problem.id}"
        if color:
            level = f"{_RED if problem.level == 'error' else _YELLOW}{level}{_END}"
        print(f"{level} {problem.where}: {problem.message}", file=stream)
        if problem.hint:
            hint = f"     hint: {problem.hint}"
            print(f"{_DIM}{hint}{_END}" if color else hint, file=stream)


def count(problems: Iterable[Problem]) -> str:
    """Format the number of problems: "2 errors, 1 warning"."""
    levels = [problem.level for problem in problems]
    numbers = [(levels.count(level), level) for level in ("error", "warning")]
    return ", ".join(counted(n, level) for n, level in numbers if n) or "no problems"


def describe(network: Network) -> str:
    """Format the size of a network: "demo: 5 jobs, 4 pipes, no nodes"."""
    parts = {"job": network.jobs, "pipe": network.edges, "node": network.nodes}
    return f"{network.name}: {', '.join(counted(len(things), noun) for noun, things in parts.items())}"
