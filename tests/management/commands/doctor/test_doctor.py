"""`fission doctor` on this machine, and what it finds of nodes that are played by the test."""

import asyncio
import datetime as dt
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network, Settings
from fission.core.nodes import BaseNode, MultiNode
from fission.diagnosis.facts import CLIENT
from fission.diagnosis.findings import RULES, Finding, Level
from fission.engine.node.link import StreamNodeLink
from fission.engine.node.probe import PROBES, NodeProbe
from fission.errors import ProjectError
from fission.management.commands.doctor.network import check_network
from fission.management.commands.doctor.paths import neighbors
from fission.management.commands.doctor.this_machine import check_certificates, check_node_port
from fission.security import IdentityFiles, Role, find_identity
from fission.security.store import CertificateStore, NodeNames
from kits.command_line import Run
from kits.links import NODE, Bed, Cluster, bed_of

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "doctor.md"


@given(st.integers(1, 40), st.integers(1, 20))
def test_each_node_is_tried_as_often_as_it_tries(count: int, most: int) -> None:
    nodes = [str(number) for number in range(count)]
    tried = {node: neighbors(node, nodes, most) for node in nodes}
    expected = min(count - 1, most)
    for node, others in tried.items():
        assert node not in others
        assert len(set(others)) == len(others) == expected
    targets = Counter(other for others in tried.values() for other in others)
    assert set(targets.values()) <= {expected}


# -- this machine ------------------------------------------------------------------------------------------------


def test_this_machine(root: Path, run: Run) -> None:
    done = run("fission", "doctor")
    assert done.code in (0, 1), done.err  # the machine of the test may be full
    assert done.out.startswith("this machine\n")
    for id in ("version.fission", "package.required", "disk.free", "memory.free", "certificate.own"):
        assert id in done.out
    assert re.search(r"^\d+ findings: ", done.out.splitlines()[-1])


def test_json(root: Path, run: Run) -> None:
    done = run("fission", "doctor", "--json")
    found = json.loads(done.out)
    assert list(found) == ["format", "network", "seconds", "ok", "counts", "findings", "names"]
    assert (found["format"], found["network"], found["ok"]) == (1, None, done.code == 0)
    assert {one["node"] for one in found["findings"]} == {"client"}


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("fission doctor demo", "network demo: the network has no nodes"),
        ("fission doctor dmeo", "Did you mean 'demo'?"),
        ("fission doctor --project no", "--project no: there is no such folder"),
        ("manage.py demo doctor", "network demo: the network has no nodes"),
    ],
)
def test_what_cannot_be_checked(root: Path, run: Run, command: str, text: str) -> None:
    done = run(*command.split())
    assert (done.code, done.out) == (2, "")
    assert text in done.err


def test_certificates_of_the_store(tmp_path: Path) -> None:
    (nothing,) = check_certificates(tmp_path)
    assert (nothing.id, nothing.level) == ("certificate.own", Level.OK)
    store = CertificateStore(tmp_path / "certs")
    now = dt.datetime.now(dt.UTC)
    store.update([NodeNames.parse("192.168.4.2")], days=10, renew=False, now=now)
    (store.node("192.168.4.2") / "key.pem").unlink()
    levels = [(one.id, one.level) for one in check_certificates(tmp_path)]
    assert levels == [
        ("certificate.time", Level.OK),
        ("certificate.time", Level.WARNING),
        ("certificate.own", Level.ERROR),
    ]


def test_the_port_of_a_node_service() -> None:
    with socket.socket() as sock:
        sock.bind(("", 0))
        port = sock.getsockname()[1]
        assert [one.id for one in check_node_port(port)] in ([], ["port.free"])
        sock.listen()
        (taken,) = check_node_port(port)
    (free,) = check_node_port(port)
    assert "in use" in taken.text
    assert (free.level, "is free" in free.text) == (Level.OK, True)


def test_an_entry_of_nodes_with_a_mistake_is_not_overlooked(root: Path, run: Run) -> None:
    with (root / "demo" / "config.py").open("a") as file:
        file.write('from fission.core.nodes import BaseNode\nNODES = [BaseNode("127.0.0.1"), 7]\n')
    done = run("fission", "doctor", "demo", "--json")
    found = {one["id"]: one for one in json.loads(done.out)["findings"]}
    assert done.code == 1
    assert found["config.check"]["level"] == "error"
    assert found["certificate.own"]["level"] == "error"
    assert found["port.service"]["node"] == "127.0.0.1"
    shown = run("fission", "doctor", "demo")
    assert "config.py: 1 error" in shown.out
    assert "hint: `fission check demo` shows them" in shown.out


# -- nodes -------------------------------------------------------------------------------------------------------


class Job(PythonJob):
    """A job for any node."""

    def run(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("certs"))


class Played:
    """A node that answers as its version would; `look` replaces parts of what it says of itself."""

    def __init__(self, authority: Cluster, folder: Path, *, old: bool = False, **look: Any) -> None:
        probe = NodeProbe(str(look.get("address", NODE)), folder, IdentityFiles(authority.node(NODE)))
        self.operations = {} if old else probe.operations()
        self.close = probe.close
        self.look = {
            "service": "1",
            "name": "pi",
            "address": NODE,
            "groups": [],
            "slots": 4,
            "occupied": 0,
            "info": {"cpu": 100.0, "memory": 1, "disk": 1, "swap": 0.0, "TQ": 255.0},
            "versions": {"fission": metadata.version("fission"), "python": "3.11.0"},
            **({} if old else {"offers": sorted(PROBES)}),
            **look,
        }

    async def handle(self, client: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self.look if operation == "look" else await self.operations[operation](arguments)


def network(port: int, *nodes: BaseNode, **settings: Any) -> Network:
    return Network("net", [Job()], nodes or [BaseNode(NODE)], Settings(node_port=port, **settings))  # type: ignore[arg-type]


def link_to_client(authority: Cluster, root: Path) -> None:
    """Give a project the client's certificate."""
    client = root / "certs" / Role.CLIENT
    client.parent.mkdir()
    client.symlink_to(authority.client)


def examine(
    authority: Cluster,
    tmp_path: Path,
    played: Played,
    *nodes: BaseNode,
    ahead: float = 0.0,
    security: str = "tls",
    **node: Any,
) -> dict[str, Finding]:
    """Check a node that is played; return what was found of it, by id."""
    link_to_client(authority, tmp_path)

    async def work(bed: Bed) -> list[Finding]:
        made = await bed.node(played.handle, **node)
        try:
            one = network(made.link.port, *nodes, security=security)
            found = await check_network(one, tmp_path, lambda _text: None, wall=lambda: time.time() + ahead)
        finally:
            played.close()
            await asyncio.get_running_loop().shutdown_default_executor()
        return found.findings

    async def main() -> list[Finding]:
        async with bed_of(authority) as bed:
            return await work(bed)

    return {one.id: one for one in asyncio.run(main()) if one.node != CLIENT}


def test_a_node_that_is_well(authority: Cluster, tmp_path: Path) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path))
    for id in ("node.admit", "node.address", "version.fission", "clock.offset", "port.data", "groups.jobs"):
        assert found[id].level is Level.OK, found[id]
    assert found["certificate.time"].level is Level.WARNING  # those of the kit are short


def test_a_node_of_an_older_version_cannot_probe(authority: Cluster, tmp_path: Path) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path, old=True))
    assert found["node.probe"].level is Level.WARNING
    assert f"FISSION {metadata.version('fission')} cannot probe" in found["node.probe"].text
    assert found["clock.offset"].level is Level.OK
    assert "port.data" not in found
    assert not any(one.level is Level.ERROR for one in found.values())


@pytest.mark.parametrize(
    ("ahead", "level"), [(20.0, Level.WARNING), (-20.0, Level.WARNING), (4000.0, Level.ERROR)]
)
def test_a_clock_that_differs(authority: Cluster, tmp_path: Path, ahead: float, level: Level) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path), ahead=ahead)
    assert found["clock.offset"].level is level
    side = "behind" if ahead > 0 else "ahead of"
    assert f"its clock is {abs(ahead):.1f} s {side} the client's" in found["clock.offset"].text


def test_versions_that_do_not_fit(authority: Cluster, tmp_path: Path) -> None:
    versions = {"fission": "99.1.0", "python": "2.7.18"}
    found = examine(authority, tmp_path, Played(authority, tmp_path, versions=versions))
    assert found["version.fission"].level is found["version.python"].level is Level.ERROR
    assert "fission 99.1.0 on the node" in found["version.fission"].text


def test_a_node_without_the_group_of_a_job(authority: Cluster, tmp_path: Path) -> None:
    Job.GROUPS = "roof"
    try:
        found = examine(authority, tmp_path, Played(authority, tmp_path))
        assert found["groups.jobs"].level is Level.ERROR
        assert "no node for 1 of 1 jobs" in found["groups.jobs"].text
    finally:
        del Job.GROUPS


def test_a_node_that_refuses(authority: Cluster, tmp_path: Path) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path), reason="it is about to end")
    assert found["node.admit"].level is Level.ERROR
    assert "it is about to end" in found["node.admit"].text


@pytest.mark.parametrize(
    ("names", "age", "text"),
    [
        ((NODE,), 20, "its certificate has expired"),
        ((NODE,), -5, "its certificate is not valid yet"),
        (("127.0.0.9",), 0, f"the certificate does not name {NODE} (found 127.0.0.9)"),
    ],
)
def test_a_certificate_that_cannot_be_accepted(
    authority: Cluster, tmp_path: Path, names: tuple[str, ...], age: int, text: str
) -> None:
    link_to_client(authority, tmp_path)
    folder = authority.make(Role.NODE, *names, age=age, days=10)

    async def main() -> list[Finding]:
        async with bed_of(authority) as bed:
            link = StreamNodeLink(
                NODE, 0, identity=find_identity(folder), handler=no_request, admit=admit, gone=print
            )
            await link.start()
            bed.ends.append(link)
            found = await check_network(network(link.port), tmp_path, lambda _text: None)
            await asyncio.get_running_loop().shutdown_default_executor()
            return found.findings

    (found,) = [one for one in asyncio.run(main()) if one.node == NODE]
    assert (found.id, found.level, found.text) == ("certificate.node", Level.ERROR, text)
    assert found.hint


async def no_request(_client: str, operation: str, _arguments: Mapping[str, Any]) -> Any:
    raise AssertionError(operation)


def admit(_client: str, _about: Mapping[str, Any]) -> str:
    return ""


@pytest.mark.parametrize(
    "look",
    [
        {"versions": None, "info": None, "groups": 7, "service": 3},
        {"offers": 5, "address": "nowhere", "name": "\x1b[31m" * 500},
        {"versions": {"fission": "9" * 5000}, "slots": "many"},
    ],
)
def test_whatever_a_node_says_of_itself(authority: Cluster, tmp_path: Path, look: dict[str, Any]) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path, **look))
    for one in found.values():
        assert len(one.text) < 1000
        assert one.text.isprintable()


def test_a_node_that_is_named_and_has_no_certificate(authority: Cluster, tmp_path: Path) -> None:
    played = Played(authority, tmp_path, address="127.0.0.1")
    node = BaseNode("localhost")
    found = examine(authority, tmp_path, played, node, security="off", address="127.0.0.1", tls=False)
    assert found["certificate.off"].level is Level.WARNING
    for id in ("node.admit", "node.address", "port.data", "groups.jobs"):
        assert found[id].level is Level.OK, found[id]


def test_two_names_of_a_node(authority: Cluster, tmp_path: Path) -> None:
    played = Played(authority, tmp_path, address="127.0.0.1")
    nodes = [BaseNode("localhost"), BaseNode("127.0.0.1")]
    found = examine(authority, tmp_path, played, *nodes, security="off", address="127.0.0.1", tls=False)
    assert found["node.twice"].level is Level.ERROR
    assert "same node as" in found["node.twice"].text
    assert found["port.data"].level is Level.OK


def test_addresses_of_a_pattern_need_no_node(authority: Cluster, tmp_path: Path) -> None:
    found = examine(authority, tmp_path, Played(authority, tmp_path), MultiNode("127.0.0.[1-4]"))
    assert found["node.admit"].level is Level.OK
    assert not any(one.level is Level.ERROR for one in found.values())


def test_a_certificate_that_is_missing_leaves_the_ports(tmp_path: Path) -> None:
    with socket.create_server((NODE, 0)) as sock:
        one = network(sock.getsockname()[1], BaseNode(NODE))
        found = asyncio.run(check_network(one, tmp_path, lambda _text: None))
    ids = {(finding.id, finding.level) for finding in found.findings}
    assert ids == {("certificate.own", Level.ERROR), ("port.service", Level.OK)}


def test_a_network_without_nodes(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="the network has no nodes"):
        asyncio.run(check_network(Network("net", [Job()]), tmp_path, lambda _text: None))


def test_the_page_has_every_id_of_a_finding() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## How")[0]
    assert re.findall(r"^\| `([a-z.]+)` \|", text, re.MULTILINE) == list(RULES)
