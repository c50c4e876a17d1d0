"""Checks of the nodes of a network: asks each node, finds out why others do not answer, then has all of them try the ways."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fission.core.groups import LOCAL, names
from fission.core.network import Network
from fission.core.nodes import LocalNode, MultiNode
from fission.diagnosis.facts import CLIENT, AbsentNode, NodeFacts, Outcome
from fission.diagnosis.findings import Finding, Level
from fission.diagnosis.machine_rules import certificate_finding
from fission.diagnosis.node_rules import absent_finding, node_findings, twice_findings
from fission.diagnosis.path_rules import path_findings
from fission.engine.client.invitations import invited
from fission.engine.protocol import link_messages
from fission.engine.transport.dialer import Dialer
from fission.engine.transport.reach import reach
from fission.errors import FissionError, ProjectError, RunError
from fission.management.access.node_query import NodeQuery
from fission.management.commands.doctor.ask_node import NodeQuestions
from fission.management.commands.doctor.paths import try_paths
from fission.management.commands.doctor.this_machine import own_certificate
from fission.placement import Links, NodeState, allocation_error, node_state, propose
from fission.project.job_files.own_code import own_code
from fission.project.suggest import counted
from fission.security import IdentityFiles, PeerError, PeerGoneError, Role

Say = Callable[[str], None]
"""`say(text)`: what is being done now."""

_REFUSED = "refused: "
_DIAL_SECONDS = 3.0
_AGAIN_SECONDS = 10.0
_ALL_SECONDS = 60.0
"""Bound of the whole check; each part of it has its own, shorter one."""


@dataclass(frozen=True, slots=True)
class NetworkFindings:
    """What was found, and the names of the nodes by their addresses in NODES."""

    findings: list[Finding]
    names: dict[str, str]


async def check_network(
    network: Network, root: Path, say: Say, *, wall: Callable[[], float] = time.time
) -> NetworkFindings:
    """Check all nodes in NODES side by side; `wall` is this machine's clock.

    Raises ProjectError without nodes, NetworkError for a pattern with too many addresses, RunError when the time is up.
    """
    nodes = invited(network)
    if not nodes:
        raise ProjectError(
            "the network has no nodes",
            where=f"network {network.name}",
            hint="List them in NODES. `fission doctor` alone checks this machine",
        )
    check = _NetworkCheck(network, root, nodes, say, wall)
    try:
        async with asyncio.timeout(_ALL_SECONDS):
            await check.run()
    except TimeoutError:
        raise RunError(
            f"the nodes were not checked within {_ALL_SECONDS:g} s", where=f"network {network.name}"
        ) from None
    return NetworkFindings(check.findings, check.names)


class _NetworkCheck:
    """`await run()`, then `findings` has the results, and `names` those of the nodes."""

    def __init__(
        self, network: Network, root: Path, nodes: Mapping[str, int], say: Say, wall: Callable[[], float]
    ) -> None:
        self.findings: list[Finding] = []
        self.names = {one.ip: one.name for one in network.nodes if one.name != one.ip}
        self._network = network
        self._root = root
        self._nodes = nodes
        self._say = say
        self._wall = wall
        self._now = dt.datetime.fromtimestamp(wall(), dt.UTC)
        self._identity: IdentityFiles | None = None

    async def run(self) -> None:
        """Ask the nodes, if this machine has a certificate for that; else look only at their ports."""
        if not self._has_identity():
            self._say("trying the ports of the nodes")
            await self._try_ports(self._named())
            return
        self._say(f"asking {counted(len(self._nodes), 'node')}")
        query = self._query(self._nodes)
        questions = NodeQuestions(self._network.name, self._packages(), self._wall)
        await query.run(questions.ask)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                for node in questions.lost():  # two entries that lead to one node displace each other
                    await self._query({node: self._nodes[node]}).run(questions.ask)
        found = [questions.found[node] for node in self._nodes if node in questions.found]
        self._say(f"{counted(len(found), 'node')} answered; trying the ways between them")
        missing = {node: why for node, why in query.missing.items() if node not in questions.found}
        await asyncio.gather(self._explain_absent(missing), self._judge(found, questions.looks))
        self._require_matches(questions.found)

    # -- the client's certificate ------------------------------------------------------------------------------

    def _has_identity(self) -> bool:
        """Judge the client's own certificate; return whether nodes can be asked."""
        settings = self._network.settings
        if settings.security == "off":
            text = 'SECURITY = "off": nothing is encrypted, and whoever reaches a node can run programs there'
            hint = "For trusted cables only. Else make certificates: fission certs"
            self.findings.append(Finding(Level.WARNING, "certificate.off", "", text, hint))
            return True
        folder = self._root / settings.certs / Role.CLIENT
        finding = certificate_finding(CLIENT, own_certificate(folder), self._now)
        self.findings.append(finding)
        self._identity = IdentityFiles(folder)
        return finding.level is not Level.ERROR

    # -- nodes that do not answer ------------------------------------------------------------------------------

    def _named(self) -> list[str]:
        """Return the nodes that NODES names one by one; of a pattern not every address is a node."""
        return [one.ip for one in self._network.nodes if not isinstance(one, LocalNode | MultiNode)]

    async def _try_ports(self, nodes: list[str]) -> None:
        """Say for each node whether its port can be reached."""
        for node, answer in zip(nodes, await asyncio.gather(*map(self._reach, nodes)), strict=True):
            if answer.reach.outcome is Outcome.REACHED:
                text = f"port {answer.port} can be reached; without a certificate the node was not asked"
                self.findings.append(Finding(Level.OK, "port.service", node, text))
            else:
                self.findings.append(absent_finding(answer))

    async def _explain_absent(self, missing: Mapping[str, str]) -> None:
        """Find out why nodes did not answer. Addresses of a pattern count only if something there has refused us."""
        named = self._named()
        asked = [node for node, why in missing.items() if node in named or why.startswith(_REFUSED)]
        found = await asyncio.gather(*(self._explain(node, missing[node]) for node in asked))
        self.findings += map(absent_finding, found)

    async def _reach(self, node: str) -> AbsentNode:
        port = self._nodes[node]
        return AbsentNode(node, port, await reach(node, port))

    async def _explain(self, node: str, reason: str) -> AbsentNode:
        answer = await self._reach(node)
        if answer.reach.outcome is not Outcome.REACHED:
            return answer
        certificate, hint = await self._refused_certificate(node, answer.port)
        return AbsentNode(node, answer.port, answer.reach, certificate, hint, reason.removeprefix(_REFUSED))

    async def _refused_certificate(self, node: str, port: int) -> tuple[str, str]:
        """Return what is wrong with the certificate of a node that listens, and a hint."""
        try:
            stream = await Dialer(self._identity, (Role.NODE,)).dial(node, port, _DIAL_SECONDS)
        except PeerGoneError:
            return "", ""
        except PeerError as error:
            found = f" (found {error.found})" if error.found else ""
            return f"{error.what}{found}", error.hint
        except (FissionError, OSError):
            return "", ""
        stream.abort("the certificate was looked at")
        return "", ""

    # -- nodes that answer -------------------------------------------------------------------------------------

    async def _judge(self, nodes: list[NodeFacts], looks: Mapping[str, Mapping[str, Any]]) -> None:
        for one in nodes:
            self.names.setdefault(one.node, one.name)
            self.findings += node_findings(one, self._now)
        self.findings += twice_findings(nodes)
        self._judge_placement(nodes, looks)
        local = any(LOCAL in names(job.GROUPS) for job in self._network.jobs)
        once: dict[str, NodeFacts] = {}
        for one in nodes:
            once.setdefault(one.service or one.node, one)
        paths, problems = await try_paths(
            self._query, tuple(once.values()), self._nodes, self._network, local=local
        )
        self.findings += path_findings(paths)
        for node, why in problems.items():
            text, hint = f"the ways from it were not tried: {why}", "Try again in a minute"
            self.findings.append(Finding(Level.WARNING, "node.probe", node, text, hint))

    def _judge_placement(self, nodes: list[NodeFacts], looks: Mapping[str, Mapping[str, Any]]) -> None:
        """Say whether each job has a node among those that answer."""
        states = [state for one in nodes if (state := self._state(one.node, looks[one.node])) is not None]
        placement = propose(self._network, states, Links())
        if not placement.unplaced:
            self.findings.append(Finding(Level.OK, "groups.jobs", "", "each job has a node that may run it"))
            return
        error = allocation_error(self._network, placement, states)
        hint = error.hint or "GROUPS of the jobs, the groups in NODES and of the nodes themselves decide"
        self.findings.append(Finding(Level.ERROR, "groups.jobs", "", error.what, hint))

    def _state(self, node: str, look: Mapping[str, Any]) -> NodeState | None:
        try:
            info = link_messages.info_from_plain(look["info"])
            slots, occupied = int(look["slots"]), int(look["occupied"])
            groups = [str(group) for group in look["groups"]]
        except (FissionError, KeyError, TypeError, ValueError):
            return None
        return node_state(self._network.nodes, node, info, slots=slots, groups=groups, occupied=occupied)

    def _require_matches(self, found: Mapping[str, NodeFacts]) -> None:
        for pattern in self._network.nodes:
            if isinstance(pattern, MultiNode) and not any(map(pattern.matches, found)):
                text = "no node that matches this pattern answers"
                hint = "Are the nodes on, and in this network? `fission doctor` on one of them checks it"
                self.findings.append(Finding(Level.ERROR, "port.service", pattern.ip, text, hint))

    # -- helpers -----------------------------------------------------------------------------------------------

    def _query(self, nodes: Mapping[str, int]) -> NodeQuery:
        """Return a query as an observer, which nodes admit also while the network runs."""
        return NodeQuery(self._network.name, nodes, self._identity, observer=True)

    def _packages(self) -> list[Path]:
        """Return the user's modules, whose imports nodes need; none if they cannot be read."""
        try:
            tree, _ = own_code(self._root, without=self._root / self._network.settings.log_file)
        except FissionError:
            return []
        return [path for path in tree.files.values() if path.suffix == ".py"]
