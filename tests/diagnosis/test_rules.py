"""The rules: which measurement leads to which finding. Broken copies of them are noticed."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.deployment.order import layout
from fission.diagnosis import machine_rules, node_rules, package_rules, path_rules
from fission.diagnosis.facts import (
    CLIENT,
    AbsentNode,
    CertificateFacts,
    ClockFacts,
    MachineFacts,
    NodeFacts,
    Outcome,
    PathFacts,
    Reach,
)
from fission.diagnosis.findings import Finding, Level

OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR
NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MB, GB = 1 << 20, 1 << 30
PI = "192.168.4.2"


@dataclass(frozen=True)
class Case:
    """A rule applied to facts: the level of the finding with this id, and a part of its text and hint."""

    rule: str
    facts: Any
    id: str
    level: Level | None
    words: str = ""


def machine(**facts: Any) -> MachineFacts:
    return MachineFacts(**facts)


def valid(begin: int, end: int) -> CertificateFacts:
    return CertificateFacts("certificate of pi", NOW + begin * DAY, NOW + end * DAY)


def node(**facts: Any) -> NodeFacts:
    return NodeFacts(PI, **{"version": "1.2.3", "address": PI, "differences": {}, **facts})


def absent(outcome: Outcome, detail: str = "", **more: Any) -> AbsentNode:
    return AbsentNode(PI, 8785, Reach(outcome, detail), **more)


def path(data: Outcome, service: Outcome | None = None, **more: Any) -> PathFacts:
    answer = None if service is None else Reach(service)
    ports = {"first_port": 32768, "last_port": 60999}
    return PathFacts(
        **{"source": "a", "target": "b", "data": Reach(data), "service": answer, **ports, **more}
    )


CASES = [
    Case("machine", machine(disk_free=500 * MB), "disk.free", OK, "500 MB free"),
    Case("machine", machine(disk_free=500 * MB - 1), "disk.free", WARNING, "Remove old files"),
    Case("machine", machine(disk_free=100 * MB), "disk.free", WARNING),
    Case("machine", machine(disk_free=100 * MB - 1), "disk.free", ERROR),
    Case("machine", machine(disk_free=3 * GB), "disk.free", OK, "3.0 GB"),
    Case("machine", machine(disk_free=0), "disk.free", ERROR, "0 MB"),
    Case("machine", machine(), "disk.free", None),
    Case("machine", machine(memory_free=128 * MB), "memory.free", OK),
    Case("machine", machine(memory_free=127 * MB), "memory.free", WARNING, "top"),
    Case("machine", machine(memory_free=31 * MB), "memory.free", ERROR),
    Case("machine", machine(), "memory.free", None),
    Case("machine", machine(files=4096), "files.limit", OK),
    Case("machine", machine(files=1024), "files.limit", WARNING, "ulimit -Hn"),
    Case("machine", machine(files=63), "files.limit", ERROR),
    Case("machine", machine(), "files.limit", None),
    Case("machine", machine(clock="synchronized"), "clock.sync", OK),
    Case("machine", machine(clock="not synchronized"), "clock.sync", WARNING, "set-ntp"),
    Case("machine", machine(), "clock.sync", None),
    Case("machine", machine(user="pi"), "groups.user", OK),
    Case("machine", machine(user="pi", other_groups=("gpio", "spi")), "groups.user", WARNING, "gpio,spi pi"),
    Case("machine", machine(user="root", other_groups=("gpio",)), "groups.user", OK),
    Case("machine", machine(), "groups.user", None),
    Case("client", machine(user="pi", other_groups=("gpio",)), "groups.user", OK, "not in gpio"),
    Case("machine", machine(mesh="none"), "mesh.batctl", None),
    Case("machine", machine(), "mesh.batctl", None),
    Case("machine", machine(mesh="ok"), "mesh.batctl", OK),
    Case("machine", machine(mesh="batctl is not installed"), "mesh.batctl", WARNING, "is not installed"),
    Case("certificate", valid(-1, 31), "certificate.time", OK, "(31 days)"),
    Case("certificate", valid(-1, 30), "certificate.time", OK),
    Case("certificate", valid(-1, 29), "certificate.time", WARNING, "fission certs --renew"),
    Case("certificate", valid(-2, 0), "certificate.time", ERROR, "expired on 2026-12-01"),
    Case("certificate", valid(0, 31), "certificate.time", OK),
    Case("certificate", valid(1, 31), "certificate.time", ERROR, "This machine shows 2026-12-01 12:00 UTC"),
    Case(
        "certificate",
        CertificateFacts("c", problem="no file", hint="Make it"),
        "certificate.own",
        ERROR,
        "Make it",
    ),
    Case("certificate", CertificateFacts("c"), "certificate.own", ERROR),
    Case("node", node(), "node.admit", OK, "admits this client, FISSION 1.2.3"),
    Case("node", node(), "port.service", OK),
    Case("node", node(), "name.resolve", None),
    Case("node", replace(node(), node="pi2.local"), "name.resolve", OK),
    Case("node", node(), "certificate.node", None),
    Case("node", node(certificate=valid(-9, 99)), "certificate.node", OK),
    Case("node", node(), "version.fission", OK),
    Case("node", node(differences=None), "version.fission", None),
    Case("node", node(differences={"fission": "fission 2.0"}), "version.fission", ERROR, "fission 2.0"),
    Case("node", node(differences={"fission": "fission 2.0"}), "version.python", OK),
    Case("node", node(differences={"python": "python 3.9"}), "version.python", ERROR, "python 3.9"),
    Case("node", node(differences={"numpy": "numpy 1.0"}), "version.package", ERROR, "numpy 1.0"),
    Case("node", node(), "version.package", None),
    Case("node", node(), "node.address", OK),
    Case("node", node(address=""), "node.address", None),
    Case("node", node(address="127.0.0.1"), "node.address", ERROR, "--address"),
    Case("node", node(address="10.0.0.9"), "node.address", WARNING, "10.0.0.9"),
    Case("node", replace(node(), node="pi2.local"), "node.address", OK),
    Case("node", replace(node(address="127.0.0.1"), node="localhost"), "node.address", OK),
    Case("node", replace(node(address="127.0.0.1"), node="127.0.0.2"), "node.address", WARNING),
    Case("node", node(clock=ClockFacts(0.0, 0.01)), "clock.offset", OK, "0.010 s at most"),
    Case("node", node(clock=ClockFacts(-3.0, 2.95)), "clock.offset", OK),
    Case("node", node(clock=ClockFacts(3.0, 2.8)), "clock.offset", WARNING, "3.0 s ahead of"),
    Case("node", node(clock=ClockFacts(-3.0, 0.01)), "clock.offset", WARNING, "3.0 s behind"),
    Case("node", node(clock=ClockFacts(-301.0, 0.01)), "clock.offset", ERROR, "certificates"),
    Case("node", node(clock=ClockFacts(301.0, 2.0)), "clock.offset", WARNING),
    Case("node", node(), "clock.offset", None),
    Case("node", node(certificate=valid(-9, -1)), "certificate.time", ERROR),
    Case("node", node(machine=machine(disk_free=0)), "disk.free", ERROR),
    Case("node", node(probes=False), "node.probe", WARNING, "FISSION 1.2.3 cannot probe"),
    Case("node", node(probes=False, version=""), "node.probe", WARNING, "fission deploy --upgrade"),
    Case("node", node(unmeasured="no answer"), "node.probe", WARNING, "no answer"),
    Case("node", node(), "node.probe", OK),
    Case("absent", absent(Outcome.REFUSED), "port.service", ERROR, "systemctl start fission"),
    Case("absent", absent(Outcome.SILENT), "port.service", ERROR, "a firewall drops TCP port 8785"),
    Case("absent", absent(Outcome.UNREACHABLE, "No route"), "port.service", ERROR, "(No route)"),
    Case("absent", absent(Outcome.STRANGER), "port.service", ERROR, "not that of a node service"),
    Case("absent", absent(Outcome.FAILED, "boom"), "port.service", ERROR, "(boom)"),
    Case("absent", absent(Outcome.DECLINED), "port.service", ERROR),
    Case("absent", absent(Outcome.UNRESOLVED, "Name unknown"), "name.resolve", ERROR, "(Name unknown)"),
    Case("absent", absent(Outcome.UNRESOLVED), "name.resolve", ERROR, "/etc/hosts"),
    Case(
        "absent",
        absent(Outcome.REACHED, certificate="expired", hint="Renew"),
        "certificate.node",
        ERROR,
        "Renew",
    ),
    Case("absent", absent(Outcome.REACHED, refusal="about to end"), "node.admit", ERROR, "about to end"),
    Case("path", path(Outcome.REACHED), "port.data", OK),
    Case("path", path(Outcome.SILENT, Outcome.REACHED), "port.data", ERROR, "accept TCP ports 32768-60999"),
    Case(
        "path", path(Outcome.SILENT, Outcome.REACHED), "port.data", ERROR, "The port of its service is open."
    ),
    Case("path", path(Outcome.SILENT, Outcome.SILENT), "port.data", ERROR, "one of the two machines"),
    Case("path", path(Outcome.SILENT), "port.data", ERROR, "a firewall drops"),
    Case("path", path(Outcome.SILENT, target=CLIENT), "port.data", ERROR, "the firewall of the client"),
    Case("path", path(Outcome.SILENT, target=CLIENT), "port.data", ERROR, "CLIENT_IP"),
    Case("path", path(Outcome.SILENT, first_port=-1), "port.data", ERROR, "the TCP ports of jobs"),
    Case("path", path(Outcome.REFUSED, Outcome.REACHED), "port.data", ERROR, "a firewall rejects"),
    Case("path", path(Outcome.REFUSED, needed=False), "port.data", WARNING),
    Case("path", path(Outcome.UNREACHABLE, Outcome.UNREACHABLE), "port.data", ERROR, "ip route get"),
    Case("path", path(Outcome.UNREACHABLE, Outcome.REACHED), "port.data", ERROR, "accept TCP ports"),
    Case("path", path(Outcome.STRANGER), "port.data", ERROR, "Have two machines this address?"),
    Case("path", path(Outcome.DECLINED), "port.data", ERROR, "--address"),
    Case("path", path(Outcome.FAILED), "port.data", ERROR),
]

Apply = Callable[[Any], list[Finding]]


def rules_of(machine: ModuleType, nodes: ModuleType, paths: ModuleType) -> dict[str, Apply]:
    return {
        "machine": lambda facts: list(machine.machine_findings(PI, facts)),
        "client": lambda facts: list(machine.machine_findings(CLIENT, facts)),
        "certificate": lambda facts: [machine.certificate_finding(PI, facts, NOW)],
        "node": lambda facts: list(nodes.node_findings(facts, NOW)),
        "absent": lambda facts: [nodes.absent_finding(facts)],
        "path": lambda facts: list(paths.path_findings([facts] if isinstance(facts, PathFacts) else facts)),
    }


RULES = rules_of(machine_rules, node_rules, path_rules)


def verdict(rules: dict[str, Apply], case: Case) -> str:
    """Return what is wrong with the finding of a case, "" if nothing is."""
    found = [one for one in rules[case.rule](case.facts) if one.id == case.id]
    if case.level is None:
        return f"{found}" if found else ""
    if [one.level for one in found] != [case.level]:
        return f"{found}"
    return "" if case.words in f"{found[0].text} {found[0].hint}" else f"{found}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule} {case.id} {case.level} {case.words}")
def test_findings(case: Case) -> None:
    assert verdict(RULES, case) == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule} {case.id} {case.level} {case.words}")
def test_what_is_wrong_has_a_hint_or_names_the_fix_and_what_is_well_has_none(case: Case) -> None:
    for one in RULES[case.rule](case.facts):
        if one.level is OK:
            assert not one.hint
        elif not one.id.startswith("version.") and case.facts != CertificateFacts("c"):
            assert one.hint
        assert len(one.text) < 200
        assert "\n" not in one.text + one.hint


def test_every_outcome_of_an_attempt_has_a_text() -> None:
    for outcome in Outcome:
        assert node_rules.absent_finding(absent(outcome, refusal="no")).text
        assert all(one.text for one in path_rules.path_findings([path(outcome)]))


def test_the_finding_about_a_way_belongs_to_its_target() -> None:
    (one,) = path_rules.path_findings([path(Outcome.SILENT)])
    assert (one.node, one.source) == ("b", "a")


Ways = dict[tuple[str, str], Outcome]
OUTCOMES = st.sampled_from([Outcome.REACHED, Outcome.SILENT, Outcome.REFUSED, Outcome.STRANGER])
WAYS = st.dictionaries(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), OUTCOMES)


def suspected(ways: Ways) -> set[str]:
    """The sources that the findings about these ways suspect."""
    paths = [path(outcome, source=one, target=other) for (one, other), outcome in ways.items()]
    found = list(path_rules.path_findings(paths))
    assert [(one.source, one.node) for one in found] == list(ways)
    return {one.source for one in found if one.hint.startswith("Nothing that")}


def test_a_machine_that_reaches_nothing_is_suspected() -> None:
    silent, reached = Outcome.SILENT, Outcome.REACHED
    ways = {
        ("a", "b"): silent,
        ("a", "c"): silent,
        ("b", "c"): reached,
        ("b", "a"): reached,
        ("c", "b"): silent,
    }
    assert suspected(ways) == {"a"}
    assert suspected({**ways, ("b", "c"): silent}) == set()  # nobody reaches b or c
    assert suspected({**ways, ("a", "c"): reached}) == set()
    assert suspected({**ways, ("a", "c"): Outcome.STRANGER}) == set()


@given(WAYS)
def test_who_reaches_something_is_never_suspected(ways: Ways) -> None:
    reached = [(one, other) for (one, other), outcome in ways.items() if outcome is Outcome.REACHED]
    found = suspected(ways)
    assert not found & {one for one, _ in reached}
    for source in found:
        assert {other for one, other in ways if one == source} & {other for _, other in reached}
        assert sum(one == source for one, _ in ways) > 1


def test_entries_that_lead_to_the_same_node() -> None:
    nodes = [
        NodeFacts(node=one, service=service)
        for one, service in (("a", "1"), ("b", "2"), ("c", "1"), ("d", ""), ("e", ""))
    ]
    (one,) = node_rules.twice_findings(nodes)
    assert (one.id, one.level, one.node) == ("node.twice", ERROR, "c")
    assert "same node as a" in one.text


def test_the_groups_are_those_of_a_deployed_service() -> None:
    assert list(machine_rules.DEVICE_GROUPS) == layout()["groups"]


# -- packages ----------------------------------------------------------------------------------------------------

REQUIREMENTS = (
    "numpy>=1.26",
    "?",
    "Typer<0.29,>=0.27",
    "my_pack-age",
    "tomli>=2; python_version < '3.11'",
    'zeroconf>=0.100; extra == "discover"',
    'spake2; extra == "pair" and python_version > "3"',
)
INSTALLED = {"numpy": "1.26.4", "typer": "0.27.2", "my-pack-age": "1"}


@pytest.mark.parametrize(
    ("installed", "level", "words"),
    [
        ({}, OK, "all packages"),
        ({"numpy": "1.9"}, ERROR, "numpy is 1.9, 1.26 or later is needed"),
        ({"numpy": "1.26"}, OK, ""),
        ({"numpy": "1.26.0rc1"}, OK, ""),
        ({"numpy": "2"}, OK, ""),
        ({"typer": "0.3"}, ERROR, "typer is 0.3"),
        ({"my-pack-age": None}, ERROR, "my_pack-age is not installed"),
    ],
)
def test_required_packages(installed: dict[str, Any], level: Level, words: str) -> None:
    there = {name: version for name, version in {**INSTALLED, **installed}.items() if version}
    found = package_rules.package_findings(CLIENT, REQUIREMENTS, there)
    (one,) = [one for one in found if one.id == "package.required"]
    assert one.level is level
    assert words.lower() in one.text.lower()


def test_extras_that_are_missing_are_no_problem() -> None:
    there = {**INSTALLED, "spake2": "0.9"}
    texts = [
        one.text
        for one in package_rules.package_findings(CLIENT, REQUIREMENTS, there)
        if one.id == "package.extra"
    ]
    assert texts == ["extra discover: zeroconf is not installed", "extra pair: installed"]


# -- a test of these tests ---------------------------------------------------------------------------------------

MUTANTS = [
    (machine_rules, "found >= warning", "found > warning"),
    (machine_rules, "found >= error", "found > error"),
    (machine_rules, "facts.disk_free >= 0", "facts.disk_free > 0"),
    (machine_rules, "now < facts.not_before", "now <= facts.not_before"),
    (machine_rules, "now >= facts.not_after", "now > facts.not_after"),
    (machine_rules, "left < _EXPIRING", "left <= _EXPIRING"),
    (machine_rules, 'or facts.user == "root"', ""),
    (machine_rules, 'and facts.mesh != "none"', ""),
    (machine_rules, "if node == CLIENT:", "if False:"),
    (node_rules, "abs(clock.offset) - clock.error", "abs(clock.offset)"),
    (node_rules, "abs(clock.offset) - clock.error", "clock.offset - clock.error"),
    (node_rules, "certain > _MOST", "abs(clock.offset) > _MOST"),
    (node_rules, "if package not in facts.differences", "if not facts.differences"),
    (node_rules, "and not _is_loopback(facts.node)", ""),
    (node_rules, "if not facts.probes", "if facts.probes and facts.unmeasured"),
    (node_rules, "if node.certificate:", "if node.refusal:"),
    (path_rules, "Level.ERROR if path.needed", "Level.ERROR if True"),
    (path_rules, "if not alone and outcome not in", "if outcome not in"),
    (path_rules, "if path.first_port > 0", "if True"),
    (path_rules, "if path.target == CLIENT", "if path.source == CLIENT"),
]


@pytest.mark.parametrize(
    ("module", "old", "new"), MUTANTS, ids=lambda one: str(getattr(one, "__name__", one))
)
def test_broken_rules_are_noticed(module: ModuleType, old: str, new: str) -> None:
    spec = find_spec(module.__name__)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    assert text.count(old) == 1, "the mutant has to replace one place"
    made = module_from_spec(spec_from_loader(module.__name__, None))  # type: ignore[arg-type]
    exec(compile(text.replace(old, new), spec.origin, "exec"), made.__dict__)
    modules = {one: one for one in (machine_rules, node_rules, path_rules)} | {module: made}
    rules = rules_of(*modules.values())
    assert any(verdict(rules, case) for case in CASES)
