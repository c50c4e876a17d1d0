"""The rules, one by one."""

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from fission.core.groups import LOCAL
from fission.core.jobs import BaseJob, ExecutableJob, LocalJob, PythonJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.errors import AllocationError, JobDefinitionError
from fission.placement import Decision, Links, NodeState, Placement, Rule, Score, Verdict, place, propose

Chain = Callable[..., Network]
Node = Callable[..., NodeState]
NO_LINKS = Links()


class Job(PythonJob):
    """Runs anywhere."""


class OnClient(LocalJob, PythonJob):
    """Runs on the client."""


def job(
    groups: str | Sequence[str] = "ALL", default: str | None = None, base: type[PythonJob] = PythonJob
) -> type[PythonJob]:
    return type("Wishing", (base,), {"GROUPS": groups, "DEFAULT_NODE": default})


def only(placement: Placement) -> Decision:
    (decision,) = placement
    return decision


def verdicts(decision: Decision) -> dict[str, str]:
    return {reason.node: str(reason) for reason in decision.reasons}


# LOCAL


def test_local_jobs_go_to_the_client_without_any_node(chain: Chain) -> None:
    decision = only(place(chain(OnClient), [], NO_LINKS))
    assert decision == Decision(1, "OnClient 1", LOCAL, Rule.LOCAL, LOCAL)


def test_a_default_node_may_be_the_client(chain: Chain, node: Node) -> None:
    assert only(place(chain(job(default=LOCAL)), [node(2)], NO_LINKS)).node == LOCAL


def test_the_client_may_stand_among_groups_as_a_last_resort(chain: Chain, node: Node) -> None:
    network = chain(job(["gpu", LOCAL]))
    assert only(place(network, [node(2, "gpu")], NO_LINKS)).node == "10.0.0.2"
    decision = only(place(network, [node(2)], NO_LINKS))
    assert (decision.node, decision.rule) == (LOCAL, Rule.LOCAL)
    assert verdicts(decision) == {"10.0.0.2": "not in group"}


# DEFAULT_NODE


def test_the_default_node_comes_first_even_if_others_are_better(chain: Chain, node: Node) -> None:
    nodes = [node(2, cpu=1, slots=1), node(3)]
    decision = only(place(chain(job(default="10.0.0.2")), nodes, NO_LINKS))
    assert (decision.node, decision.rule, decision.group) == ("10.0.0.2", Rule.DEFAULT, "")


def test_the_default_node_may_be_given_by_its_name(chain: Chain, node: Node) -> None:
    nodes = [node(2, name="left"), node(3, name="right")]
    assert only(place(chain(job(default="right")), nodes, NO_LINKS)).node == "10.0.0.3"


@pytest.mark.parametrize("change", [{"active": False}, {"occupied": 2}, {"slots": 0}])
def test_a_default_node_that_is_down_or_full_is_passed_over(
    chain: Chain, node: Node, change: dict[str, int]
) -> None:
    nodes = [node(2, **change), node(3)]
    decision = only(place(chain(job(default="10.0.0.2")), nodes, NO_LINKS))
    assert (decision.node, decision.rule) == ("10.0.0.3", Rule.SCORE)


def test_the_default_node_need_not_be_in_the_groups(chain: Chain, node: Node) -> None:
    nodes = [node(2), node(3, "gpu")]
    assert only(place(chain(job("gpu", "10.0.0.2")), nodes, NO_LINKS)).node == "10.0.0.2"


def test_without_groups_only_the_default_node_will_do(chain: Chain, node: Node) -> None:
    network = chain(job([], "10.0.0.3"))
    assert only(place(network, [node(2), node(3)], NO_LINKS)).node == "10.0.0.3"
    decision = only(propose(network, [node(2), node(3, active=False)], NO_LINKS))
    assert (decision.node, decision.rule) == (None, Rule.NONE)
    assert verdicts(decision) == {"10.0.0.2": "not the default node", "10.0.0.3": "down"}


# groups


def test_groups_are_asked_in_the_order_of_the_job(chain: Chain, node: Node) -> None:
    network = chain(job(["a", "b"]))
    nodes = [node(2, "b"), node(3, "a", cpu=1), node(4, "a", "b", cpu=2)]
    decision = only(place(network, nodes, NO_LINKS))
    assert (decision.node, decision.group) == ("10.0.0.4", "a")
    full = [nodes[0], replace(nodes[1], occupied=2), replace(nodes[2], active=False)]
    decision = only(place(network, full, NO_LINKS))
    assert (decision.node, decision.group) == ("10.0.0.2", "b")
    assert verdicts(decision)["10.0.0.3"] == "full (2 of 2 slots)"
    assert verdicts(decision)["10.0.0.4"] == "down"


def test_all_takes_every_node(chain: Chain, node: Node) -> None:
    assert only(place(chain(job(["gpu", "ALL"])), [node(2)], NO_LINKS)).group == "ALL"


def test_an_empty_name_is_no_group(chain: Chain, node: Node) -> None:
    assert only(propose(chain(job("")), [node(2)], NO_LINKS)).node is None


# score


def test_the_score_is_the_one_of_the_seed(chain: Chain, node: Node) -> None:
    links = Links({("10.0.0.2", "10.0.0.9"): 51})
    network = chain(Job, Job)
    nodes = [node(2, cpu=40, swap=25, slots=5, occupied=2), node(9, active=False)]
    decision = place(network, nodes, links, fixed={1: "10.0.0.9"}).decisions[1]
    assert decision.chosen is not None
    assert decision.chosen.score == Score(tq=51, cpu=40, swap=25, free=3)
    assert decision.chosen.value == pytest.approx((20 + 40 + 75) / 3 * 3)
    assert str(decision.chosen) == "chosen, 135.0 = (link 20 + cpu 40 + swap 75) / 3 x 3 free"


def test_the_best_score_wins(chain: Chain, node: Node) -> None:
    nodes = [node(2, cpu=50), node(3, cpu=90), node(4, cpu=95, swap=50)]
    decision = only(place(chain(Job), nodes, NO_LINKS))
    assert (decision.node, decision.rule) == ("10.0.0.3", Rule.SCORE)
    assert [one.verdict for one in decision.reasons] == [Verdict.POSSIBLE, Verdict.CHOSEN, Verdict.POSSIBLE]


def test_equal_scores_go_to_the_first_address(chain: Chain, node: Node) -> None:
    assert only(place(chain(Job), [node(10), node(9), node(11)], NO_LINKS)).node == "10.0.0.9"


def test_links_count_to_the_nodes_where_neighbors_are(chain: Chain, node: Node) -> None:
    links = Links({("10.0.0.2", "10.0.0.9"): 10, ("10.0.0.3", "10.0.0.9"): 200})
    network = chain(Job, Job, Job)
    nodes = [node(2, slots=1), node(3, slots=1), node(9, slots=0)]
    placement = place(network, nodes, links, fixed={2: "10.0.0.9"}, only=[3])
    assert placement.nodes[3] == "10.0.0.3"


def test_each_node_of_neighbors_counts_once(node: Node) -> None:
    pipes = [PicklePipe(one) for one in range(3)]
    jobs = [*(Job(outputs=[pipe]) for pipe in pipes), Job(inputs=pipes)]
    network, _ = Network.build("net", jobs)
    links = Links({("10.0.0.2", "x"): 100, ("10.0.0.2", "y"): 40})
    placement = place(network, [node(2)], links, fixed={1: "x", 2: "x", 3: "y"})
    chosen = placement.decisions[3].chosen
    assert chosen is not None
    assert chosen.score is not None
    assert chosen.score.tq == 70


def test_the_client_counts_where_local_jobs_are_neighbors(chain: Chain, node: Node) -> None:
    links = Links({("10.0.0.2", "10.0.0.1"): 10}, client="10.0.0.1")
    placement = place(chain(Job, OnClient), [node(2), node(3)], links)
    assert placement.nodes == {1: "10.0.0.3", 2: LOCAL}


# slots


def test_slots_fill_up(chain: Chain, node: Node) -> None:
    placement = place(chain(Job, Job, Job), [node(2, slots=1), node(3, slots=2)], NO_LINKS)
    assert sorted(placement.nodes.values()) == ["10.0.0.2", "10.0.0.3", "10.0.0.3"]


def test_jobs_with_less_choice_come_first(chain: Chain, node: Node) -> None:
    nodes = [node(2, "a", slots=1), node(3, "b", slots=1, cpu=1), node(4, "b", slots=1, cpu=1)]
    placement = place(chain(Job, job("b"), job("a")), nodes, NO_LINKS)
    assert placement.nodes == {1: "10.0.0.4", 2: "10.0.0.3", 3: "10.0.0.2"}


def test_a_default_node_is_kept_for_its_job(chain: Chain, node: Node) -> None:
    nodes = [node(2, slots=1), node(3, slots=1, cpu=1), node(4, slots=1, cpu=1)]
    placement = place(chain(Job, Job, job(default="10.0.0.2")), nodes, NO_LINKS)
    assert placement.nodes[3] == "10.0.0.2"


def test_a_job_that_has_no_other_node_is_before_a_default_node(chain: Chain, node: Node) -> None:
    nodes = [node(2, "a", slots=1), node(3, slots=1)]
    placement = place(chain(job(default="10.0.0.2"), job("a")), nodes, NO_LINKS)
    assert placement.nodes == {1: "10.0.0.3", 2: "10.0.0.2"}


# fixed and only


def test_fixed_jobs_stay_and_take_their_slots(chain: Chain, node: Node) -> None:
    nodes = [node(2, slots=1), node(3, slots=1, cpu=1)]
    placement = place(chain(Job, Job), nodes, NO_LINKS, fixed={2: "10.0.0.2"})
    assert placement.nodes == {1: "10.0.0.3", 2: "10.0.0.2"}
    assert placement.decisions[1] == Decision(2, "Job 2", "10.0.0.2", Rule.FIXED)


def test_fixed_jobs_stay_where_nobody_could_go(chain: Chain, node: Node) -> None:
    nodes = [node(2, slots=1, active=False), node(3)]
    fixed = {1: "10.0.0.2", 2: "10.0.0.2", 3: "gone", 4: LOCAL}
    placement = place(chain(Job, Job, Job, Job, Job), nodes, NO_LINKS, fixed=fixed)
    assert placement.nodes == {**fixed, 5: "10.0.0.3"}


def test_jobs_that_are_neither_fixed_nor_wanted_are_left_out(chain: Chain, node: Node) -> None:
    placement = place(chain(Job, Job, Job), [node(2)], NO_LINKS, fixed={1: "10.0.0.2"}, only=[3])
    assert placement.nodes == {1: "10.0.0.2", 3: "10.0.0.2"}


def test_mistakes_of_the_caller_are_value_errors(chain: Chain, node: Node) -> None:
    network = chain(Job, Job)
    with pytest.raises(ValueError, match=r"no such jobs in network net: \[3, 4\]"):
        place(network, [node(2)], NO_LINKS, fixed={4: "10.0.0.2"}, only=[3])
    with pytest.raises(ValueError, match=r"fixed cannot be placed: \[2\]"):
        place(network, [node(2)], NO_LINKS, fixed={2: "10.0.0.2"}, only=[1, 2])
    with pytest.raises(ValueError, match="two nodes have the same address"):
        place(network, [node(2), node(2)], NO_LINKS)


# preference


def preferring(answer: Callable[[Sequence[NodeInfo]], object]) -> type[PythonJob]:
    return type("Choosy", (PythonJob,), {"preference": lambda _self, nodes: answer(nodes), "GROUPS": "a"})


def test_a_preference_beats_the_score(chain: Chain, node: Node) -> None:
    nodes = [node(2, "a", cpu=5), node(3, "a"), node(4, cpu=1)]
    decision = only(place(chain(preferring(lambda n: min(n, key=lambda one: one.cpu))), nodes, NO_LINKS))
    assert (decision.node, decision.rule) == ("10.0.0.2", Rule.PREFERENCE)


def test_a_preference_sees_the_free_nodes_of_the_group_and_their_links(chain: Chain, node: Node) -> None:
    seen: list[NodeInfo] = []
    links = Links({("10.0.0.2", "10.0.0.9"): 7})
    nodes = [node(2, "a"), node(3, "a"), node(4), node(5, "a", active=False), node(6, "a", occupied=2)]
    network = chain(Job, preferring(seen.extend))
    place(network, nodes, links, fixed={1: "10.0.0.9"})
    assert [(one.cpu, one.TQ) for one in seen] == [(100, 7), (100, 255)]


def test_equal_nodes_are_told_apart(chain: Chain, node: Node) -> None:
    nodes = [node(2, "a"), node(3, "a"), node(4, "a")]
    assert only(place(chain(preferring(lambda n: n[1])), nodes, NO_LINKS)).node == "10.0.0.3"


def test_no_preference_leaves_it_to_the_score(chain: Chain, node: Node) -> None:
    decision = only(place(chain(preferring(lambda _: None)), [node(2, "a", cpu=1), node(3, "a")], NO_LINKS))
    assert (decision.node, decision.rule) == ("10.0.0.3", Rule.SCORE)


def test_a_preference_may_do_as_it_likes_with_its_list(chain: Chain, node: Node) -> None:
    network = chain(preferring(lambda n: n.pop(0)), preferring(lambda n: n.clear()))  # type: ignore[attr-defined]
    assert len(place(network, [node(2, "a"), node(3, "a")], NO_LINKS).nodes) == 2


@pytest.mark.parametrize("answer", ["10.0.0.2", 0, NodeInfo(1, 2, 3, 4), [None]])
def test_a_preference_that_returns_something_else_is_an_error(
    chain: Chain, node: Node, answer: object
) -> None:
    with pytest.raises(JobDefinitionError) as caught:
        place(chain(preferring(lambda _: answer)), [node(2, "a")], NO_LINKS)
    assert "job 'Choosy 1'" in str(caught.value)
    assert "expected one of the 1 NodeInfos" in str(caught.value)
    assert reprlib.repr(answer) in str(caught.value)


def test_a_preference_that_raises_is_an_error_with_the_line(chain: Chain, node: Node) -> None:
    with pytest.raises(
        JobDefinitionError, match=r"job 'Choosy 1', .*test_place\.py:\d+: .* ZeroDivisionError"
    ) as caught:
        place(chain(preferring(lambda n: 1 // (len(n) - 1))), [node(2, "a")], NO_LINKS)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_programs_have_preferences_too(node: Node) -> None:
    class Program(ExecutableJob):
        def preference(self, nodes: Sequence[NodeInfo]) -> NodeInfo:
            return nodes[-1]

    network, _ = Network.build("net", [BaseJob(), Program()])
    decided = place(network, [node(2), node(3)], NO_LINKS).decisions
    assert [one.rule for one in decided] == [Rule.SCORE, Rule.PREFERENCE]


# errors


def test_an_error_has_jobs_wishes_and_every_node(chain: Chain, node: Node) -> None:
    nodes = [node(2, "a", slots=1), node(3, "a", active=False), node(4, "b"), node(5, "b", slots=0)]
    with pytest.raises(AllocationError) as caught:
        place(chain(job("a"), job("a"), job("a"), job([], "10.0.0.3")), nodes, NO_LINKS)
    assert str(caught.value) == (
        "network net: no node for 3 of 4 jobs: jobs 'Wishing 2', 'Wishing 3' (GROUPS = 'a'): "
        "down: 10.0.0.3; full: 10.0.0.2 (1 of 1 slots); not in group: 10.0.0.4, 10.0.0.5"
        " | job 'Wishing 4' (DEFAULT_NODE = '10.0.0.3', GROUPS = []): "
        "down: 10.0.0.3; not the default node: 10.0.0.2, 10.0.0.4, 10.0.0.5"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (job("tpu"), "No node is in group 'tpu'; known: 'a', 'b'"),
        (job(["x", "y"]), "No node is in group 'x', 'y'; known: 'a', 'b'"),
        (job([], "10.0.0.7"), "No node is called '10.0.0.7'"),
        (job([]), "GROUPS = [] allows the DEFAULT_NODE only, and there is none"),
        (job("a"), "Add nodes, or slots to nodes"),
    ],
)
def test_the_likely_mistake_is_told(chain: Chain, node: Node, kind: type[PythonJob], hint: str) -> None:
    with pytest.raises(AllocationError) as caught:
        place(chain(kind), [node(2, "a", slots=0), node(3, "b")], NO_LINKS)
    assert caught.value.hint == hint


def test_no_nodes_at_all(chain: Chain) -> None:
    with pytest.raises(AllocationError, match=r"job 'Job 1' \(GROUPS = 'ALL'\): there are no nodes$"):
        place(chain(Job), [], NO_LINKS)


def test_no_groups_at_all(chain: Chain, node: Node) -> None:
    with pytest.raises(AllocationError, match="known: none"):
        place(chain(job("gpu")), [node(2)], NO_LINKS)


def test_a_proposal_places_what_it_can(chain: Chain, node: Node) -> None:
    placement = propose(chain(Job, job("gpu"), Job), [node(2)], NO_LINKS)
    assert placement.nodes == {1: "10.0.0.2", 3: "10.0.0.2"}
    assert [one.name for one in placement.unplaced] == ["Wishing 2"]
    assert placement.unplaced[0].chosen is None


def test_a_node_without_slots_says_so(chain: Chain, node: Node) -> None:
    assert verdicts(only(propose(chain(Job), [node(2, slots=0)], NO_LINKS))) == {
        "10.0.0.2": "full (it has no slots)"
    }


def test_verdicts_know_whether_they_refuse() -> None:
    assert [one for one in Verdict if not one.refused] == [Verdict.CHOSEN, Verdict.POSSIBLE]
