"""Placement: chooses a node for every job, with reasons. Pure."""

from fission.core.groups import LOCAL
from fission.placement.explain import allocation_error, refusals
from fission.placement.greedy import place, propose
from fission.placement.matching import node_state
from fission.placement.model import BEST_TQ, Links, NodeState
from fission.placement.result import Decision, Placement, Reason, Rule, Score, Verdict

__all__ = [
    "BEST_TQ",
    "LOCAL",
    "Decision",
    "Links",
    "NodeState",
    "Placement",
    "Reason",
    "Rule",
    "Score",
    "Verdict",
    "allocation_error",
    "node_state",
    "place",
    "propose",
    "refusals",
]
