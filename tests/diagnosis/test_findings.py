"""Reports: nothing is lost, problems come first; and what nodes report is read without trust."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.diagnosis.facts import MachineFacts, Outcome, Reach, excerpt
from fission.diagnosis.findings import RULES, Finding, Level, Report

FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(Level),
        st.sampled_from(list(RULES)),
        st.sampled_from(["", "client", "a", "b"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["", "hint"]),
        st.sampled_from(["", "a", "client"]),
    )
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(FINDINGS)
def test_no_finding_is_lost_and_problems_come_first(findings: list[Finding]) -> None:
    report = Report(findings)
    assert set(report.findings) == set(findings)
    assert len(report.findings) == len(set(findings))
    order = [Level.ERROR, Level.WARNING, Level.OK]
    worst = []
    for node in report.nodes():
        levels = [order.index(one.level) for one in report.findings if one.node == node]
        assert levels == sorted(levels)
        worst.append(levels[0])
    assert worst == sorted(worst)
    assert [one.node for one in report.findings] == [
        node for node in report.nodes() for one in report.findings if one.node == node
    ]


@given(FINDINGS)
def test_errors_alone_decide(findings: list[Finding]) -> None:
    report = Report(findings)
    assert report.ok == all(one.level is not Level.ERROR for one in findings)
    plain = json.loads(json.dumps(report.plain()))
    assert plain["ok"] == report.ok
    assert sum(plain["counts"].values()) == len(plain["findings"]) == len(set(findings))
    for one in plain["findings"]:
        assert set(one) == {"level", "id", "node", "source", "text", "hint"}


@given(FINDINGS)
def test_lines_merge_the_sources_only(findings: list[Finding]) -> None:
    report = Report(findings)
    found = []
    for node in report.nodes():
        for line in report.lines(node):
            one = line.finding
            sources = line.sources or ("",)
            found += [Finding(one.level, one.id, node, one.text, one.hint, source) for source in sources]
    assert sorted(map(repr, found)) == sorted(map(repr, report.findings))


def test_unknown_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"disk\.fre is no id"):
        Finding(Level.OK, "disk.fre", "a", "text")


def test_facts_of_a_machine_survive_the_link() -> None:
    facts = MachineFacts(1, 2, 3, 4, 5, "synchronized", 6, 7, "pi", ("a",), ("b", "c"), "ok")
    assert MachineFacts.read(facts.plain()) == facts
    assert MachineFacts.read({**facts.plain(), "humidity": 3}) == facts


@given(PLAIN)
def test_whatever_a_node_reports_can_be_read(data: Any) -> None:
    assert MachineFacts.read(data) == MachineFacts() or isinstance(data, dict)
    assert Reach.read(data).outcome is Outcome.FAILED or isinstance(data, list)


@given(st.sampled_from(list(MachineFacts().plain())), PLAIN)
def test_a_fact_of_a_wrong_type_counts_as_not_measured(name: str, data: Any) -> None:
    facts = MachineFacts.read({name: data})
    for name, default in MachineFacts().plain().items():
        value = facts.plain()[name]
        assert type(value) is type(default)
        if isinstance(value, str):
            assert len(value) <= 200
            assert value.isprintable()


@given(st.text())
def test_excerpts_are_short_lines(text: str) -> None:
    assert len(excerpt(text)) <= 200
    assert excerpt(text).isprintable()
