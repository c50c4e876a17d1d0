import pickle
from typing import Any

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.core import base
from fission.core.jobs import ForwardingJob, PythonJob, SourceJob
from fission.core.network import Edge, Network, Problem, Settings
from fission.core.nodes import BaseNode, MultiNode
from fission.core.pipes import OptionalPicklePipe, PicklePipe
from fission.errors import NetworkError


class ReducePipe(PicklePipe):
    BLOCK_COUNT = 5


class ReduceJob(PythonJob):
    def run(self, values: list[int]) -> None:
        pass


class Forgetful(PythonJob):
    def __init__(self) -> None:
        self.value = 1


def tutorial() -> list[PythonJob]:
    """The seed's first network."""
    return [
        SourceJob(outputs=[PicklePipe(101)]),
        SourceJob(outputs=[PicklePipe(102)]),
        SourceJob(outputs=[PicklePipe(103)]),
        ForwardingJob(inputs=[PicklePipe(101), PicklePipe(102), PicklePipe(103)], outputs=[ReducePipe(105)]),
        ReduceJob(inputs=[ReducePipe(105)]),
    ]


def build(*jobs: object, nodes: tuple[object, ...] = ()) -> tuple[Network, list[tuple[str, str]]]:
    network, problems = Network.build("net", jobs, nodes)
    for problem in problems:
        assert problem.message
        assert str(problem).startswith(f"{problem.id} {problem.where}: {problem.message}")
        assert problem.level == ("error" if problem.id.startswith("E") else "warning")
    return network, [(problem.id, problem.where) for problem in problems]


# -- networks that work -----------------------------------------------------------------------------------


def test_the_tutorial() -> None:
    jobs = tutorial()
    settings = Settings(user="pi", head_size=2)
    nodes = [BaseNode("192.168.4.2"), MultiNode("192.168.5.*")]
    network, problems = Network.build("demo", jobs, nodes, settings, "/somewhere/demo")
    assert problems == ()
    assert (network.name, network.jobs, network.nodes) == ("demo", tuple(jobs), tuple(nodes))
    assert (network.settings, network.folder) == (settings, "/somewhere/demo")
    assert network.edges == (
        Edge(PicklePipe(101), 1, 4),
        Edge(PicklePipe(102), 2, 4),
        Edge(PicklePipe(103), 3, 4),
        Edge(ReducePipe(105), 4, 5),
    )
    assert network.job(4) is jobs[3]
    assert network.edge(105) == Edge(ReducePipe(105), 4, 5)
    assert [edge.source for edge in network.inputs_of(4)] == [1, 2, 3]
    assert [edge.destination for edge in network.outputs_of(4)] == [5]
    assert (network.inputs_of(1), network.outputs_of(5)) == ((), ())
    assert network.sources() == tuple(jobs[:3])
    assert network.sinks() == (jobs[4],)
    assert network.cycles() == ()


def test_ends_are_found_in_the_order_of_the_job() -> None:
    source = SourceJob(outputs=[PicklePipe(3), PicklePipe(1), PicklePipe(2)])
    sink = ForwardingJob(inputs=[PicklePipe(2), PicklePipe(3), PicklePipe(1)])
    network, _ = build(source, sink)
    assert [edge.pipe.id for edge in network.outputs_of(1)] == [3, 1, 2]
    assert [edge.pipe.id for edge in network.inputs_of(2)] == [2, 3, 1]


def test_jobs_are_numbered_in_the_order_of_the_list() -> None:
    jobs = tutorial()
    network, problems = build(*reversed(jobs[1:]), jobs[0])
    assert problems == []
    assert [job.id for job in network.jobs] == [1, 2, 3, 4, 5]
    assert jobs[0].name == "SourceJob 5"
    assert {number: job.name for number, job in base.JOBS.items()} == {
        1: "ReduceJob 1",
        2: "ForwardingJob 2",
        3: "SourceJob 3",
        4: "SourceJob 4",
        5: "SourceJob 5",
    }
    assert ReduceJob().id == 6


def test_a_network_does_not_lean_on_the_registries() -> None:
    network, _ = build(*tutorial())
    base.reset()
    assert network.job(4).name == "ForwardingJob 4"
    assert network.edge(105).source == 4


def test_defaults() -> None:
    network, _ = build()
    assert (network.jobs, network.edges, network.nodes, network.folder) == ((), (), (), "")
    assert network.settings == Settings()
    assert network.settings.pulse_interval == 0.1
    assert network.settings.log_file == "FISSION.log"


def test_jobs_that_came_out_of_a_pickle_are_joined_too() -> None:
    twins = [pickle.loads(pickle.dumps(job)) for job in tutorial()]
    network, problems = build(*twins)
    assert problems == []
    assert len(network.edges) == 4


def test_asking_for_what_is_not_there() -> None:
    network, _ = build(*tutorial())
    for number in (0, 6, -1):
        with pytest.raises(NetworkError, match=f"network net: no such job; expected 1 to 5, found {number}"):
            network.job(number)
    with pytest.raises(NetworkError, match="expected one of 101, 102, 103, 105, found 9"):
        network.edge(9)
    with pytest.raises(NetworkError, match="expected one of none"):
        build()[0].edge(9)


# -- problems ---------------------------------------------------------------------------------------------


def test_all_problems_at_once() -> None:
    source = SourceJob(outputs=[PicklePipe(1), PicklePipe(2), PicklePipe(4)])
    network, problems = build(
        source,
        SourceJob(outputs=[PicklePipe(1)]),
        ForwardingJob([PicklePipe(1), PicklePipe(3), PicklePipe(4), PicklePipe(5)], [PicklePipe(5)]),
        source,
        ReduceJob([PicklePipe(4)]),
        Forgetful(),
        PicklePipe(9),
        ReduceJob,
        [source],
        "job",
        nodes=(BaseNode("10.0.0.1"), "10.0.0.2", BaseNode("10.0.0.1"), 5),
    )
    assert problems == [
        ("E103", "JOBS[3]"),
        ("E102", "JOBS[5]"),
        ("E101", "JOBS[6]"),
        ("E101", "JOBS[7]"),
        ("E101", "JOBS[8]"),
        ("E101", "JOBS[9]"),
        ("E112", "pipe 1 (PicklePipe)"),
        ("E113", "pipe 2 (PicklePipe)"),
        ("E111", "pipe 3 (PicklePipe)"),
        ("E114", "pipe 4 (PicklePipe)"),
        ("E115", "pipe 5 (PicklePipe)"),
        ("E121", "NODES[1]"),
        ("E123", "NODES[2]"),
        ("E121", "NODES[3]"),
    ]
    assert len(network.jobs) == 4
    assert [edge.pipe.id for edge in network.edges] == [5]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: [SourceJob(outputs=[PicklePipe(1)])], "the blocks of SourceJob 1 are never read"),
        (lambda: [ReduceJob([PicklePipe(1)])], "ReduceJob 1 would wait for ever"),
        (
            lambda: [SourceJob(outputs=[PicklePipe(1)]) for _ in "ab"] + [ReduceJob([PicklePipe(1)])],
            "more than one source: SourceJob 1, SourceJob 2",
        ),
        (
            lambda: [SourceJob(outputs=[PicklePipe(1)]), *(ReduceJob([PicklePipe(1)]) for _ in "ab")],
            "more than one destination: ReduceJob 2, ReduceJob 3",
        ),
        (
            lambda: [SourceJob(outputs=[PicklePipe(1)]), ReduceJob([PicklePipe(1), PicklePipe(1)])],
            "more than one destination: ReduceJob 2, ReduceJob 2",
        ),
        (lambda: [ForwardingJob([PicklePipe(1)], [PicklePipe(1)])], "joins ForwardingJob 1 to itself"),
        (lambda: [Forgetful()], "Forgetful.__init__ does not call super().__init__"),
        (lambda: [ReduceJob], "call it, as ReduceJob(...)"),
        (lambda: [[ReduceJob()]], "Unpack a list inside JOBS with a star"),
        (lambda: [PicklePipe(1)], "Pipes belong in the inputs and outputs"),
        (lambda: [None], "JOBS[0]: None is not a job"),
        (lambda: [ReduceJob()], "pass inputs and outputs to"),
    ],
)
def test_problems_name_pipe_and_jobs(make: Any, text: str) -> None:
    _, problems = Network.build("net", make())
    assert len(problems) == 1
    assert text in str(problems[0])
    assert "\n" not in str(problems[0])


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("outputs", 3, "SourceJob: its outputs were replaced by 3, which is not a list of pipes"),
        ("inputs", None, "its inputs were replaced by None"),
        ("outputs", [5], "5 is in its outputs and is not a pipe"),
        ("name", 7, "its name is 7, which is not a string"),
    ],
)
def test_attributes_that_were_replaced(attribute: str, value: Any, text: str) -> None:
    job = SourceJob(outputs=[PicklePipe(1)])
    setattr(job, attribute, value)
    _, problems = Network.build("net", [job])
    assert [(problem.id, problem.where) for problem in problems] == [("E104", "JOBS[0]")]
    assert text in problems[0].message


def test_the_id_of_a_pipe_that_was_replaced() -> None:
    pipe = PicklePipe(1)
    pipe.id = "one"  # type: ignore[assignment]
    _, problems = build(SourceJob(outputs=[pipe]))
    assert problems == [("E104", "JOBS[0]")]
    pipe.id = 1


def test_ends_of_another_class() -> None:
    source = SourceJob(outputs=[PicklePipe(1)])
    base.reset()
    _, problems = build(source, ReduceJob([ReducePipe(1)]))
    assert problems == [("E116", "pipe 1 (PicklePipe)")]


def test_a_node_whose_init_forgets_super() -> None:
    class Blank(BaseNode):
        def __init__(self) -> None:
            pass

    assert build(nodes=(Blank(),))[1] == [("E122", "NODES[0]")]


def test_a_problem_as_text() -> None:
    assert str(Problem("E1", "error", "here", "is wrong", "Mend it")) == "E1 here: is wrong. Mend it"
    assert str(Problem("E1", "error", "here", "is wrong")) == "E1 here: is wrong"


# -- circles ----------------------------------------------------------------------------------------------


def test_a_circle_is_shown_in_the_direction_of_the_blocks() -> None:
    network, problems = build(
        SourceJob(outputs=[PicklePipe(1)]),
        ForwardingJob([PicklePipe(1), PicklePipe(5)], [PicklePipe(2)]),
        ForwardingJob([PicklePipe(3)], [PicklePipe(5), PicklePipe(6)]),
        ForwardingJob([PicklePipe(2)], [PicklePipe(3)]),
        ReduceJob([PicklePipe(6)]),
    )
    assert problems == []
    assert network.cycles() == ((2, 4, 3),)


def test_an_optional_pipe_makes_a_circle_a_loop_that_works() -> None:
    network, _ = build(
        ForwardingJob([OptionalPicklePipe(2)], [PicklePipe(1)]),
        ForwardingJob([PicklePipe(1)], [OptionalPicklePipe(2)]),
    )
    assert network.cycles() == ()


def test_a_job_joined_to_itself_is_a_circle() -> None:
    assert build(ForwardingJob([PicklePipe(1)], [PicklePipe(1)]))[0].cycles() == ((1,),)


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.lists(st.tuples(st.integers(1, n), st.integers(1, n), st.booleans()), max_size=16).map(
            lambda edges: (n, edges)
        )
    )
)
def test_circles_are_found_if_and_only_if_there_are_any(
    graph: tuple[int, list[tuple[int, int, bool]]],
) -> None:
    count, edges = graph
    base.reset()
    pipes = [OptionalPicklePipe(i) if is_async else PicklePipe(i) for i, (_, _, is_async) in enumerate(edges)]
    jobs = [
        ForwardingJob(
            [pipe for pipe, (_, to, _) in zip(pipes, edges, strict=True) if to == number],
            [pipe for pipe, (start, _, _) in zip(pipes, edges, strict=True) if start == number],
        )
        for number in range(1, count + 1)
    ]
    network, _ = Network.build("net", jobs)
    assert [(edge.source, edge.destination, edge.pipe.ASYNC) for edge in network.edges] == edges
    model = networkx.DiGraph([(a, b) for a, b, is_async in edges if not is_async])
    circles = network.cycles()
    assert bool(circles) == (not networkx.is_directed_acyclic_graph(model))
    for circle in circles:
        assert circle[0] == min(circle)
        assert all(model.has_edge(a, b) for a, b in zip(circle, circle[1:] + circle[:1], strict=True))
    everybody = [number for circle in circles for number in circle]
    assert len(everybody) == len(set(everybody))
    model.remove_nodes_from(everybody)
    assert networkx.is_directed_acyclic_graph(model)
