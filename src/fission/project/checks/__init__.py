"""What a network must be like to run: a table of small functions, one for every rule."""

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
"""Every check of this room."""

RULES: tuple[Rule, ...] = (*ELSEWHERE, *(one.rule for one in CHECKS))
"""Every rule that there is, also those that are looked at while a network is loaded and joined."""


def check(network: Network) -> tuple[Problem, ...]:
    """Return everything that is wrong with a loaded network, all at once.

    What is wrong with its settings and its structure comes from `load_network` and `Network.build`; look at both.
    """
    return tuple(problem for one in CHECKS for problem in one.problems(network))
