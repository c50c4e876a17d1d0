"""`fission doctor` on real hosts: firewalls that drop and reject, nodes that are down, frozen, or have a wrong certificate."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fission.security import Role
from fission.security.authority import Authority
from lab import Host, Lab, Stream
from lab.shell import system

pytestmark = pytest.mark.long

DATA = "tcp dport 32768-60999 tcp flags & (syn | ack) == syn"
"""Attempts to connect to ports of jobs; answers to attempts in the other direction pass."""


@dataclass(frozen=True)
class Diagnosis:
    """The exit code and the findings of a doctor."""

    code: int
    found: dict[str, Any]

    def of(self, id: str, node: str, source: str = "") -> dict[str, str]:
        """Return the only finding with this id."""
        fits = [
            one
            for one in self.found["findings"]
            if (one["id"], one["node"], one["source"]) == (id, node, source)
        ]
        assert len(fits) == 1, f"{id} of {node} from {source or '-'}: {json.dumps(self.found, indent=1)}"
        return fits[0]

    def level(self, id: str, node: str, source: str = "") -> str:
        """Return the level of the only finding with this id."""
        return self.of(id, node, source)["level"]


def examine(lab: Lab, stream: Stream) -> Diagnosis:
    """Run the doctor on the client."""
    done = lab.client.run(stream.command("doctor", "--json"), seconds=60)
    assert "Traceback" not in done.text()
    return Diagnosis(done.code or 0, json.loads(done.out.read_text()))


def incoming(host: Host, rule: str) -> None:
    """Give a host a firewall with one rule for what arrives."""
    lines = ("table inet wall {", "chain i {", "type filter hook input priority 0", rule, "}", "}", "")
    table = "\n".join(lines)
    system("ip", "netns", "exec", host.space, "nft", "-f", "-", given=table)


def test_all_is_well_also_while_the_network_runs(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=1_000_000, rate=50)
    lab.start_nodes()
    before = examine(lab, stream)
    client = stream.start(lab.client)
    stream.await_rows(20, client)
    during = examine(lab, stream)
    for one in (before, during):
        assert one.code == 0, one.found
        assert one.found["counts"]["error"] == 0
        assert one.level("groups.jobs", "") == "ok"
        for node in lab.nodes:
            for id in ("node.admit", "version.fission", "clock.offset", "certificate.time", "disk.free"):
                assert one.level(id, node.address) == "ok"
            for other in ("client", *(other.address for other in lab.nodes if other is not node)):
                assert one.level("port.data", node.address, other) == "ok"
            assert one.level("port.data", "client", node.address) == "ok"
    stream.finish()
    assert client.wait(60) == 0, client.tail()
    assert stream.mistakes() == ""
    shown = lab.client.run(stream.command("doctor"))
    assert shown.code == 0
    assert "port.data" in shown.out.read_text()


def test_firewalls_between_nodes_and_a_node_that_is_down(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=10, rate=10)
    lab.start_nodes()
    one, two, three, down = lab.nodes
    incoming(one, f"ip saddr {two.address} {DATA} drop")
    incoming(two, f"ip saddr {three.address} {DATA} reject with tcp reset")
    incoming(three, f"ip saddr {one.address} {DATA} reject with icmp type host-unreachable")
    down.kill()
    found = examine(lab, stream)
    assert found.code == 1
    dropped = found.of("port.data", one.address, two.address)
    assert dropped["level"] == "error"
    assert "does not answer" in dropped["text"]
    assert f"In the firewall of {one.address}, accept TCP ports " in dropped["hint"]
    assert "The port of its service is open." in dropped["hint"]
    rejected = found.of("port.data", two.address, three.address)
    assert rejected["level"] == "error"
    assert "refuses" in rejected["text"]
    unreachable = found.of("port.data", three.address, one.address)
    assert unreachable["level"] == "error"
    assert "there is no way" in unreachable["text"]
    for target, source in ((one, three), (two, one), (three, two)):
        assert found.level("port.data", target.address, source.address) == "ok"
    assert found.level("port.service", down.address) == "error"
    assert "refuses connections" in found.of("port.service", down.address)["text"]
    down.link_down()
    found = examine(lab, stream)
    assert found.code == 1
    assert "no answer" in found.of("port.service", down.address)["text"]
    shown = lab.client.run(stream.command("doctor"), env={"COLUMNS": "80"})
    assert shown.code == 1
    assert "systemctl" not in shown.out.read_text()


def test_a_firewall_for_what_goes_out_is_looked_for_at_its_machine(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=10, rate=10)
    lab.start_nodes()
    closed, other = lab.nodes[:2]
    lines = (
        "table inet wall {",
        "chain o {",
        "type filter hook output priority 0",
        f"{DATA} drop",
        "}",
        "}",
        "",
    )
    system("ip", "netns", "exec", closed.space, "nft", "-f", "-", given="\n".join(lines))
    found = examine(lab, stream)
    assert found.code == 1
    for target in (other.address, "client"):
        one = found.of("port.data", target, closed.address)
        assert one["level"] == "error"
        assert f"look first at the firewall of {closed.address}" in one["hint"]
    assert found.level("port.data", closed.address, other.address) == "ok"


def test_a_frozen_node_does_not_hide_the_others(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=10, rate=10)
    lab.start_nodes()
    frozen = lab.nodes[0]
    frozen.freeze()
    found = examine(lab, stream)
    frozen.thaw()
    assert found.code == 1
    assert found.found["seconds"] < 40
    assert found.level("node.admit", frozen.address) == "error"
    assert found.level("port.data", lab.nodes[1].address, lab.nodes[2].address) == "ok"


def issue(authority: Authority, folder: Path, role: Role, *names: str, age: int = 0, days: int = 100) -> None:
    """Put a certificate that was made `age` days ago in the place of another one."""
    now = dt.datetime.now(dt.UTC) - dt.timedelta(days=age)
    pair = authority.issue(role, (*names, str(role))[0], names, now=now, days=days)
    for name, data in (("ca.pem", authority.pem), ("cert.pem", pair.certificate), ("key.pem", pair.key)):
        (folder / name).write_bytes(data)


def test_certificates(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=10, rate=10)
    authority = Authority.create(dt.datetime.now(dt.UTC) - dt.timedelta(days=50))
    stranger = Authority.create(dt.datetime.now(dt.UTC))
    one, expiring, foreign, fourth = lab.nodes
    issue(authority, lab.client.certs, Role.CLIENT, days=20)
    issue(authority, one.certs, Role.NODE, one.address)
    issue(authority, expiring.certs, Role.NODE, expiring.address, days=10)
    issue(stranger, foreign.certs, Role.NODE, foreign.address)
    issue(authority, fourth.certs, Role.NODE, fourth.address)
    lab.start_nodes()
    found = examine(lab, stream)
    assert found.code == 1
    assert found.level("certificate.time", "client") == "warning"
    assert found.level("certificate.time", one.address) == "ok"
    assert found.level("certificate.time", expiring.address) == "warning"
    assert found.level("certificate.node", foreign.address) == "error"
    assert "not signed by our authority" in found.of("certificate.node", foreign.address)["text"]
    issue(authority, lab.client.certs, Role.CLIENT, age=20, days=10)
    found = examine(lab, stream)
    assert found.code == 1
    assert "expired" in found.of("certificate.time", "client")["text"]
    assert found.level("port.service", one.address) == "ok"


def test_a_wrong_name_and_a_wrong_port(lab: Lab) -> None:
    places = [("no-such-node.invalid", ("head",)), (lab.nodes[0].address, ("head", "work"))]
    stream = Stream(lab.folder, places, blocks=10, rate=10, settings=f'CERTS = "{lab.certs}"')
    lab.nodes[0].start_node()
    found = examine(lab, stream)
    assert found.code == 1
    assert found.level("name.resolve", "no-such-node.invalid") == "error"
    assert found.level("node.admit", lab.nodes[0].address) == "ok"
    config = stream.network / "config.py"
    config.write_text(config.read_text() + "\nNODE_PORT = 8786\n")
    found = examine(lab, stream)
    assert "port 8786 refuses" in found.of("port.service", lab.nodes[0].address)["text"]
    assert found.level("groups.jobs", "") == "error"
