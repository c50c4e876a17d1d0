"""`check`: report all problems of a network without running it."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fission.core.network import Problem
from fission.errors import ConfigError
from fission.management.access.problems import count, describe, load_and_check, load_valid, show_problems
from fission.project.checks import RULES

OK, WRONG = 0, 2


def check_command(root: Path, name: str, *, as_json: bool) -> int:
    """Print the problems of a network; return 2 if one of them is an error. Raises ProjectError and ConfigError."""
    if as_json:
        return _check_as_json(root, name)
    network, problems = load_and_check(root, name)
    show_problems(problems, sys.stdout)
    print(f"{describe(network)}: {count(problems)}")
    return _code(problems)


def replay_command(root: Path, name: str, *, seconds: float, typed: Sequence[str], as_json: bool) -> int:
    """Print which jobs continue identically after a restart; return 2 if one does not."""
    from fission.management.commands.network.replay import replay_network  # noqa: PLC0415 - imports the engine

    with contextlib.redirect_stdout(sys.stderr):
        network = load_valid(root, name)
        answers = replay_network(network, root, seconds=seconds, typed=typed)
    if as_json:
        print(json.dumps({"network": name, "jobs": [dataclasses.asdict(one) for one in answers]}, indent=2))
    else:
        for one in answers:
            print(f"{'-' if one.same is None else 'ok' if one.same else 'DIFFERS':7}  {one.job}: {one.text}")
    return WRONG if any(one.same is False for one in answers) else OK


def list_checks() -> int:
    """Print all rules with their ids."""
    for rule in sorted(RULES, key=lambda rule: (rule.id[1:], rule.id)):
        print(f"{rule.id}  {rule.level:7}  {rule.title}")
    return OK


def _check_as_json(root: Path, name: str) -> int:
    problems: tuple[Problem, ...]
    with contextlib.redirect_stdout(sys.stderr):  # output of the user's modules is no JSON
        try:
            _, problems = load_and_check(root, name)
        except ConfigError as error:
            problems = (Problem("E001", "error", error.where, error.what, error.hint),)
    code = _code(problems)
    found = [dataclasses.asdict(problem) for problem in problems]
    print(json.dumps({"network": name, "ok": code == OK, "problems": found}, indent=2))
    return code


def _code(problems: tuple[Problem, ...]) -> int:
    return WRONG if any(problem.level == "error" for problem in problems) else OK
