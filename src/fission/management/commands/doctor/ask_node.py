"""What the doctor asks each node: what it is, its time, its machine, its certificate."""

import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from fission.diagnosis.facts import CertificateFacts, ClockFacts, MachineFacts, NodeFacts, excerpt
from fission.engine.node.probe import EXAMINE, PROBES
from fission.engine.protocol.clock_offset import ClockOffset
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.engine.protocol.versions import differences, imported_packages, installed_versions
from fission.engine.transport.handshake import CLOCK
from fission.management.access.node_query import Request
from fission.security.parsing import parse_certificate

_LOOK_SECONDS: Final = 5.0
_EXAMINE_SECONDS: Final = 10.0
_CLOCK_SAMPLES: Final = 4


class NodeQuestions:
    """`ask` is the work for one node; `found` has what is known of each, `looks` its own description.

    `modules` are the user's files, whose imports the nodes need; `wall` is this machine's clock.
    """

    def __init__(self, network: str, modules: Iterable[Path], wall: Callable[[], float]) -> None:
        self.found: dict[str, NodeFacts] = {}
        self.looks: dict[str, Mapping[str, Any]] = {}
        self._begun: dict[str, None] = {}
        self._network = network
        self._wall = wall
        self._versions = installed_versions()
        self._packages = sorted({"fission", "python", *imported_packages(modules)})

    async def ask(self, node: str, request: Request) -> None:
        """Ask one node. Raises LinkError when it does not say what it is."""
        self._begun[node] = None
        look = await request("look", network=self._network, timeout=_LOOK_SECONDS)
        if not isinstance(look, Mapping):
            raise LinkError("what it says of itself cannot be understood", where=node)
        clock = await self._clock(request)
        offers = look.get("offers")
        probes = isinstance(offers, list) and set(offers) >= PROBES
        machine, certificate, unmeasured = None, None, ""
        if probes:
            try:
                answer = await request(EXAMINE, timeout=_EXAMINE_SECONDS)
                machine, certificate = _machine(answer), _certificate(answer)
            except LinkError as error:
                unmeasured = excerpt(str(error))
        versions = look.get("versions")
        theirs = (
            {k: v for k, v in versions.items() if isinstance(v, str)} if isinstance(versions, dict) else {}
        )
        self.looks[node] = look
        self.found[node] = NodeFacts(
            node,
            name=_text(look, "name"),
            address=_ip_address(look),
            service=_text(look, "service"),
            version=excerpt(theirs.get("fission", "")),
            differences=self._differences(theirs),
            clock=clock,
            certificate=certificate,
            machine=machine,
            probes=probes,
            unmeasured=unmeasured,
        )

    def lost(self) -> list[str]:
        """Return the nodes that had joined, and whose link ended before they had answered."""
        return [node for node in self._begun if node not in self.found]

    async def _clock(self, request: Request) -> ClockFacts | None:
        """Compare the clocks a few times; the shortest round trip bounds the error best."""
        offset = ClockOffset()
        for _ in range(_CLOCK_SAMPLES):
            sent, begin = self._wall(), time.monotonic()
            try:
                answer = await request(CLOCK, timeout=_LOOK_SECONDS)
            except LinkError:
                break
            now = time.monotonic()
            match answer:
                case [float(wall), float(_)]:
                    offset.add(sent, wall, now - begin, now)
        estimate = offset.estimate(time.monotonic())
        return None if estimate is None else ClockFacts(estimate.offset, estimate.error)

    def _differences(self, theirs: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for package in self._packages:
            ours = {package: self._versions[package]} if package in self._versions else {}
            for text in differences(theirs, {package} - {"fission", "python"}, ours):
                found[package] = excerpt(text)
        return found


def _text(look: Mapping[str, Any], name: str) -> str:
    value = look.get(name)
    return excerpt(value) if isinstance(value, str) else ""


def _ip_address(look: Mapping[str, Any]) -> str:
    try:
        return str(ip_address(_text(look, "address")))
    except ValueError:
        return ""


def _machine(answer: Plain) -> MachineFacts:
    return MachineFacts.read(answer.get("machine") if isinstance(answer, Mapping) else None)


def _certificate(answer: Plain) -> CertificateFacts | None:
    """Return when the certificate of a node, or that of its authority, expires; None without certificates."""
    given = answer if isinstance(answer, Mapping) else {}
    parts = [part for name in ("certificate", "authority") if isinstance(part := given.get(name), bytes)]
    if len(parts) < 2 or not all(parts):
        return None
    try:
        read = [parse_certificate(part) for part in parts]
    except ValueError:
        return None
    return CertificateFacts(
        "its certificate",
        max(one.not_valid_before_utc for one in read),
        min(one.not_valid_after_utc for one in read),
    )
