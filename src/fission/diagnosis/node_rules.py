"""Findings about nodes as the client sees them."""

import datetime as dt
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from fission.diagnosis.facts import AbsentNode, ClockFacts, NodeFacts, Outcome
from fission.diagnosis.findings import Finding, Level
from fission.diagnosis.machine_rules import certificate_finding, machine_findings

__all__ = ["absent_finding", "node_findings", "twice_findings"]

_REMARK: Final = 0.1
_MOST: Final = 300.0
"""Seconds by which a clock may differ without a remark, and until certificates may seem to be out of their time."""
_VERSION_IDS: Final = {"fission": "version.fission", "python": "version.python"}
_SET_CLOCK: Final = "On the machine whose clock is wrong: sudo timedatectl set-ntp true"


def absent_finding(node: AbsentNode) -> Finding:
    """Say why a node cannot be used, and what helps."""
    reach, where = node.reach, node.node
    if reach.outcome is Outcome.REACHED:
        if node.certificate:
            return Finding(Level.ERROR, "certificate.node", where, node.certificate, node.hint)
        hint = (
            node.hint
            or "Its log says more: journalctl --unit=fission. If it hangs: systemctl restart fission"
        )
        return Finding(Level.ERROR, "node.admit", where, f"the node cannot be used: {node.refusal}", hint)
    if reach.outcome is Outcome.UNRESOLVED:
        text = f"the name has no address ({reach.detail})" if reach.detail else "the name has no address"
        hint = "Correct it in NODES, or give its IP address there, or add it to DNS or /etc/hosts"
        return Finding(Level.ERROR, "name.resolve", where, text, hint)
    text, hint = _PORT[reach.outcome]
    text = text.format(port=node.port, detail=f" ({reach.detail})" if reach.detail else "")
    return Finding(Level.ERROR, "port.service", where, text, hint.format(port=node.port))


_PORT: Final = {
    Outcome.REFUSED: (
        "port {port} refuses connections",
        "The machine is there: start its service (systemctl start fission), or set NODE_PORT, or let its firewall accept"
        " TCP port {port}",
    ),
    Outcome.SILENT: (
        "no answer from port {port}",
        "Is the machine on, and the address right? If `ping` answers, a firewall drops TCP port {port}",
    ),
    Outcome.UNREACHABLE: (
        "there is no way to this machine{detail}",
        "Is it on, and in the same network? `ip route get` shows the way; a firewall may say this, too",
    ),
    Outcome.STRANGER: (
        "port {port} is not that of a node service",
        "Another program listens there: set NODE_PORT to the port of the service",
    ),
    Outcome.DECLINED: ("the address cannot be that of a node{detail}", "Correct it in NODES"),
    Outcome.FAILED: ("port {port} cannot be reached{detail}", "Does the network of this machine work?"),
}


def node_findings(facts: NodeFacts, now: dt.datetime) -> Iterator[Finding]:
    """Judge a node that answers; `now` is this machine's time (UTC)."""
    node = facts.node
    if not _is_address(node):
        yield Finding(Level.OK, "name.resolve", node, "the name has an address")
    yield Finding(Level.OK, "port.service", node, "the port of its service can be reached")
    text = f"admits this client, FISSION {facts.version}" if facts.version else "admits this client"
    yield Finding(Level.OK, "node.admit", node, text)
    yield from _versions(facts)
    yield from _address(facts)
    if facts.clock is not None:
        yield _clock(node, facts.clock)
    if facts.certificate is not None:
        yield Finding(Level.OK, "certificate.node", node, "its certificate is accepted")
        yield certificate_finding(node, facts.certificate, now)
    if facts.machine is not None:
        yield from machine_findings(node, facts.machine)
    if not facts.probes:
        text = f"FISSION {facts.version or 'of this node'} cannot probe: its machine and its ways to others are not known"
        yield Finding(Level.WARNING, "node.probe", node, text, "Upgrade it: fission deploy --upgrade")
    elif facts.unmeasured:
        hint = "Try again in a minute; the log of its service says more"
        yield Finding(Level.WARNING, "node.probe", node, f"not all was measured: {facts.unmeasured}", hint)
    else:
        yield Finding(Level.OK, "node.probe", node, "its machine was examined")


def twice_findings(nodes: Iterable[NodeFacts]) -> Iterator[Finding]:
    """Report the entries of NODES that lead to a node service that an earlier one has led to."""
    first: dict[str, str] = {}
    for one in nodes:
        if one.service and first.setdefault(one.service, one.node) != one.node:
            text = f"this is the same node as {first[one.service]}"
            yield Finding(Level.ERROR, "node.twice", one.node, text, "Name each node once in NODES")


def _versions(facts: NodeFacts) -> Iterator[Finding]:
    if facts.differences is None:
        return
    for package, text in facts.differences.items():
        id = _VERSION_IDS.get(package, "version.package")
        yield Finding(Level.ERROR, id, facts.node, text)
    for package, id in _VERSION_IDS.items():
        if package not in facts.differences:
            yield Finding(Level.OK, id, facts.node, f"{package} fits")


def _address(facts: NodeFacts) -> Iterator[Finding]:
    """A node that serves at the loopback takes part in networks on its own machine only."""
    try:
        own = ip_address(facts.address)
    except ValueError:
        return
    if own.is_loopback and not _is_loopback(facts.node):
        text = f"it serves at {own}, where other machines cannot reach its jobs"
        hint = "Start it with --address and its address in the network"
        yield Finding(Level.ERROR, "node.address", facts.node, text, hint)
    elif _is_other(facts.node, facts.address):
        text = f"it serves at {own}: other nodes connect to that address, not to {facts.node}"
        hint = (
            "Fine if all machines can reach it; else start it with --address, or name this address in NODES"
        )
        yield Finding(Level.WARNING, "node.address", facts.node, text, hint)
    else:
        yield Finding(Level.OK, "node.address", facts.node, f"serves at {own}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return text == "localhost"


def _is_other(known: str, own: str) -> bool:
    try:
        return ip_address(known) != ip_address(own)
    except ValueError:
        return False  # a name: whether it fits is seen by whether the node answers


def _clock(node: str, clock: ClockFacts) -> Finding:
    certain = abs(clock.offset) - clock.error
    if certain <= _REMARK:
        most = abs(clock.offset) + clock.error
        return Finding(Level.OK, "clock.offset", node, f"the clocks differ by {most:.3f} s at most")
    side = "ahead of" if clock.offset > 0 else "behind"
    text = f"its clock is {abs(clock.offset):.1f} s {side} the client's"
    if certain > _MOST:
        return Finding(
            Level.ERROR, "clock.offset", node, f"{text}: certificates may seem out of their time", _SET_CLOCK
        )
    return Finding(Level.WARNING, "clock.offset", node, f"{text}: times in logs differ", _SET_CLOCK)
