"""Findings about the ways between machines."""

from typing import Final

from fission.diagnosis.facts import CLIENT, Outcome, PathFacts
from fission.diagnosis.findings import Finding, Level

__all__ = ["path_finding"]

_TEXTS: Final = {
    Outcome.REFUSED: "a port that is open refuses connections: a firewall rejects them",
    Outcome.SILENT: "a port that is open does not answer: a firewall drops the connections",
    Outcome.UNREACHABLE: "there is no way to this machine",
    Outcome.UNRESOLVED: "the name of this machine has no address there",
    Outcome.STRANGER: "another machine or program answers at this address",
    Outcome.DECLINED: "the node does not connect to this address",
    Outcome.FAILED: "the connection failed",
}


def path_finding(path: PathFacts) -> Finding:
    """Judge the way from one machine to another; the finding belongs to the target, where firewalls usually are."""
    outcome = path.data.outcome
    if outcome is Outcome.REACHED:
        return Finding(Level.OK, "port.data", path.target, "ports of jobs can be reached", source=path.source)
    text = _TEXTS[outcome] + (f" ({path.data.detail})" if path.data.detail else "")
    level = Level.ERROR if path.needed else Level.WARNING
    return Finding(level, "port.data", path.target, text, _hint(path), path.source)


def _hint(path: PathFacts) -> str:
    outcome = path.data.outcome
    if outcome is Outcome.STRANGER:
        return "Have two machines this address? Is there a proxy or NAT between them?"
    if outcome is Outcome.DECLINED:
        return "Start the node with --address and its address in the network"
    alone = path.service is not None and path.service.outcome is Outcome.REACHED
    if not alone and outcome not in (Outcome.REFUSED, Outcome.SILENT):
        return "`ip route get` on the source shows its way to the target"
    if not alone and path.service is not None:
        return (
            "The port of its service does not answer either: a firewall of one of the two machines, or between them,"
            " stops the connections, or their answers"
        )
    ports = (
        f"TCP ports {path.first_port}-{path.last_port}" if path.first_port > 0 else "the TCP ports of jobs"
    )
    what = "The port of its service is open. " if alone else ""
    whose = "this machine" if path.target == CLIENT else path.target
    return f"{what}In the firewall of {whose}, accept {ports} (net.ipv4.ip_local_port_range) from all nodes and the client"
