"""Findings about the ways between machines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fission.diagnosis.facts import CLIENT, Outcome, PathFacts
from fission.diagnosis.findings import Finding, Level

__all__ = ["path_findings"]

_STOPPED: Final = (Outcome.REFUSED, Outcome.SILENT, Outcome.UNREACHABLE)
_SUSPECTED: Final = (
    "Nothing that {source} tried was reached, and others reach some of it: look first at the firewall of {source}, for"
    " connections that go out and their answers, and at its routes"
)
_TEXTS: Final = {
    Outcome.REFUSED: "a port that is open refuses connections: a firewall rejects them",
    Outcome.SILENT: "a port that is open does not answer: a firewall drops the connections",
    Outcome.UNREACHABLE: "there is no way to this machine",
    Outcome.UNRESOLVED: "the name of this machine has no address there",
    Outcome.STRANGER: "another machine or program answers at this address",
    Outcome.DECLINED: "the node does not connect to this address",
    Outcome.FAILED: "the connection failed",
}


def path_findings(paths: Iterable[PathFacts]) -> Iterator[Finding]:
    """Judge the ways between machines. Each finding belongs to the target, where firewalls usually are.

    A source that reaches nothing, while others reach some of its targets, is suspected instead.
    """
    tried = tuple(paths)
    suspects = _suspects(tried)
    for path in tried:
        yield _finding(path, suspected=path.source in suspects)


def _suspects(paths: Sequence[PathFacts]) -> set[str]:
    reached = {path.target for path in paths if path.data.outcome is Outcome.REACHED}
    attempts: dict[str, list[PathFacts]] = {}
    for path in paths:
        attempts.setdefault(path.source, []).append(path)
    return {
        source
        for source, own in attempts.items()
        if len(own) > 1
        and all(path.data.outcome in _STOPPED for path in own)
        and any(path.target in reached for path in own)
    }


def _finding(path: PathFacts, *, suspected: bool) -> Finding:
    outcome = path.data.outcome
    if outcome is Outcome.REACHED:
        return Finding(Level.OK, "port.data", path.target, "ports of jobs can be reached", source=path.source)
    text = _TEXTS[outcome] + (f" ({path.data.detail})" if path.data.detail else "")
    level = Level.ERROR if path.needed else Level.WARNING
    hint = _SUSPECTED.format(source=_name(path.source)) if suspected else _hint(path)
    return Finding(level, "port.data", path.target, text, hint, path.source)


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
    own = "; or set CLIENT_IP to another address of it" if path.target == CLIENT else ""
    setting = "(net.ipv4.ip_local_port_range)"
    return f"{what}In the firewall of {_name(path.target)}, accept {ports} {setting} from all nodes and the client{own}"


def _name(machine: str) -> str:
    return "the client" if machine == CLIENT else machine
