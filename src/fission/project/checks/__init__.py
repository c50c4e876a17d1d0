"""The rules that a network must meet to run: a table with one function per rule."""

from fission.core.network import Network, Problem
from fission.project.checks._check import Check, Finding, Rule
from fission.project.checks._elsewhere import ELSEWHERE
from fission.project.checks._graph import GRAPH_CHECKS
from fission.project.checks._jobs import JOB_CHECKS
from fission.project.checks._nodes import NODE_CHECKS
from fission.project.checks._pipes import PIPE_CHECKS
from fission.project.checks._programs import PROGRAM_CHECKS

__all__ = ["CHECKS", "RULES", "Check", "Finding", "Rule", "check"]

CHECKS: tuple[Check, ...] = (*JOB_CHECKS, *PROGRAM_CHECKS, *GRAPH_CHECKS, *PIPE_CHECKS, *NODE_CHECKS)
"""All checks of this package."""

RULES: tuple[Rule, ...] = (*ELSEWHERE, *(one.rule for one in CHECKS))
"""All rules, including those that are checked while a network is loaded and joined."""


def check(network: Network) -> tuple[Problem, ...]:
    """Return all problems of a loaded network at once.

    Problems of its settings and its structure are returned by `load_network` and `Network.build`.
    """
    return tuple(problem for one in CHECKS for problem in one.problems(network))
