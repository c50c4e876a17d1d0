"""Checks an embedding against the rules of the problem. It shares only `model` with the solvers, so an error of theirs shows.

Every rule is evaluated from the definition, without tables: the checker is for certainty, not for speed.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from fission.planning.model import Embedding, Problem, Transmission, Violation

__all__ = ["check"]

_TOLERANCE = 1e-9
"""Relative error that sums of floats may have."""


def check(problem: Problem, plan: Embedding) -> list[Violation]:
    """Return every rule that `plan` breaks; an empty list means that it is valid.

    A plan with unknown names gets only these violations, because the other rules have no meaning for it.
    """
    unknown = list(_unknown_names(problem, plan))
    if unknown:
        return unknown
    return [
        *_placement(problem, plan),
        *_routes(problem, plan),
        *_custody(problem, plan),
        *_half_duplex(plan),
        *_reception(problem, plan),
        *_claims(plan),
    ]


def _unknown_names(problem: Problem, plan: Embedding) -> Iterator[Violation]:
    nodes = {node.name for node in problem.nodes}
    blocks = {block.name for block in problem.blocks}
    for where, block, names in _mentioned(plan):
        if block not in blocks:
            yield Violation("name", where, f"the problem has no block {block}")
        for name in names:
            if name not in nodes:
                yield Violation("name", where, f"the problem has no node {name}")
    for block in sorted(blocks - set(plan.placement)):
        yield Violation("placement", f"block {block}", "it has no node")
    for source, target in plan.routes:
        if (source, target) not in problem.links:
            yield Violation("name", f"route {source} -> {target}", "the problem has no such link")


def _mentioned(plan: Embedding) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield a place in the plan, and the block and the nodes that it names."""
    for block, node in plan.placement.items():
        yield f"placement of {block}", block, (node,)
    for number, slot in enumerate(plan.schedule, 1):
        for sent in slot:
            yield f"slot {number}", sent.block, (sent.sender, *sent.receivers)
    for (source, target), path in plan.routes.items():
        yield f"route {source} -> {target}", source, path


def _placement(problem: Problem, plan: Embedding) -> Iterator[Violation]:
    load: dict[str, list[float]] = defaultdict(list)
    for block in problem.blocks:
        host = plan.placement[block.name]
        load[host].append(block.demand)
        if block.node is not None and block.node != host:
            yield Violation("fixed", f"block {block.name}", f"it is on {host}, but has to be on {block.node}")
    for node in problem.nodes:
        total = math.fsum(load[node.name])
        if total > node.capacity + _TOLERANCE * max(1.0, node.capacity):
            text = f"demands of {total:g} exceed the capacity {node.capacity:g}"
            yield Violation("capacity", f"node {node.name}", text)


def _routes(problem: Problem, plan: Embedding) -> Iterator[Violation]:
    hops = {
        (sent.block, sent.sender, receiver)
        for slot in plan.schedule
        for sent in slot
        for receiver in sent.receivers
    }
    for source, target in problem.links:
        first, last = plan.placement[source], plan.placement[target]
        where = f"link {source} -> {target}"
        path = plan.routes.get((source, target))
        if path is None:
            if first != last:
                yield Violation("route", where, f"it has no route from {first} to {last}")
            continue
        if not path or path[0] != first or path[-1] != last:
            yield Violation("route", where, f"its route does not lead from {first} to {last}")
            continue
        for sender, receiver in pairwise(path):
            if (source, sender, receiver) not in hops:
                text = f"no slot has the hop {sender} -> {receiver} with the data of {source}"
                yield Violation("route", where, text)


def _custody(problem: Problem, plan: Embedding) -> Iterator[Violation]:
    """Only the host of a block, and nodes that its data reach, send them."""
    for block in problem.blocks:
        sent_by: dict[str, set[str]] = defaultdict(set)
        for slot in plan.schedule:
            for sent in slot:
                if sent.block == block.name:
                    sent_by[sent.sender].update(sent.receivers)
        reached = {plan.placement[block.name]}
        border = list(reached)
        while border:
            fresh = sent_by[border.pop()] - reached
            reached |= fresh
            border.extend(fresh)
        for sender in sorted(set(sent_by) - reached):
            yield Violation(
                "custody", f"node {sender}", f"it sends the data of {block.name} without ever receiving them"
            )


def _half_duplex(plan: Embedding) -> Iterator[Violation]:
    for number, slot in enumerate(plan.schedule, 1):
        doing: dict[str, str] = {}
        for sent in slot:
            roles = [(sent.sender, f"sends {sent.block}")]
            roles += [(name, f"receives {sent.block} from {sent.sender}") for name in sent.receivers]
            for name, role in roles:
                if name in doing:
                    text = f"it {doing[name]} and {role} in the same slot"
                    yield Violation("half-duplex", f"slot {number}, node {name}", text)
                doing[name] = role


def _reception(problem: Problem, plan: Embedding) -> Iterator[Violation]:
    nodes = {node.name: node for node in problem.nodes}
    rates = {block.name: block.rate for block in problem.blocks}
    radio = problem.radio

    def received_power(sender: str, receiver: str) -> float:
        x, y = nodes[sender], nodes[receiver]
        return x.power / math.pow(math.hypot(x.x - y.x, x.y - y.y), radio.exponent)

    def sinr(slot: tuple[Transmission, ...], sent: Transmission, receiver: str) -> float:
        others = {one.sender for one in slot} - {sent.sender, receiver}
        noise = radio.noise + math.fsum(received_power(name, receiver) for name in others)
        return received_power(sent.sender, receiver) / noise

    for number, slot in enumerate(plan.schedule, 1):
        for sent in slot:
            for receiver in sent.receivers:
                if receiver == sent.sender:
                    continue  # reported as a breach of half duplex
                found = sinr(slot, sent, receiver)
                rate = radio.bandwidth * math.log2(1.0 + found)
                if rate < rates[sent.block] * (1.0 - _TOLERANCE):
                    text = f"{rate:.3g} bit/s (SINR {found:.3g}) do not suffice for {rates[sent.block]:.3g} bit/s"
                    yield Violation("sinr", f"slot {number}, {sent.sender} -> {receiver}", text)


def _claims(plan: Embedding) -> Iterator[Violation]:
    for number, slot in enumerate(plan.schedule, 1):
        if not any(sent.receivers for sent in slot):
            yield Violation("empty", f"slot {number}", "nothing is received in it")
    if plan.bound > plan.slots:
        yield Violation("bound", "bound", f"it is {plan.bound}, but the plan has {plan.slots} slots")
