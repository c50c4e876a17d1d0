import pickle
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fission.core.jobs
from fission.core import base
from fission.core.head import Head
from fission.core.jobs import (
    FINISHED,
    RESTARTING,
    RUNNING,
    STOPPED,
    BaseJob,
    DistributingJob,
    JobStatus,
    LocalJob,
    PythonJob,
)
from fission.core.nodes import NodeInfo
from fission.core.pipes import ArrayPipe, BytesPipe, OptionalPicklePipe, PicklePipe
from fission.errors import HeadError, JobDefinitionError


class Source(PythonJob):
    def run(self) -> int:
        return 1


class Join(PythonJob):
    GROUPS = ["FAST", "ALL"]  # noqa: RUF012 - as users write it
    HEAD = True

    def __init__(self, factor: int, *args: Any, **kwargs: Any) -> None:
        self.factor = factor
        super().__init__(*args, **kwargs)

    def run(self, *values: int) -> int:
        return self.factor * sum(values)


# -- as users write them ----------------------------------------------------------------------------------


def test_ids_count_up_and_names_follow() -> None:
    first, second = Source(outputs=[PicklePipe(1)]), Join(2, [PicklePipe(1)])
    assert (first.id, second.id) == (1, 2)
    assert (first.name, second.name) == ("Source 1", "Join 2")
    assert {1: first, 2: second} == base.JOBS
    assert repr(second) == "<Join 2>"
    base.reset()
    assert Source().id == 1


def test_pipes_are_kept_in_order() -> None:
    pipes = [PicklePipe(3), PicklePipe(1), PicklePipe(2)]
    job = Join(2, inputs=iter(pipes), outputs=(PicklePipe(9),))
    assert job.inputs == pipes
    assert job.outputs == [PicklePipe(9)]
    assert Join(2, pipes, [PicklePipe(9)]).inputs is not pipes
    assert job.run(1, 2, 3) == 12


def test_a_name_can_be_given_in_many_ways() -> None:
    class Early(PythonJob):
        def __init__(self) -> None:
            self.name = "early"
            super().__init__()

    class Late(PythonJob):
        def __init__(self) -> None:
            super().__init__()
            self.name = "late"

    class Fixed(PythonJob):
        name = "fixed"  # type: ignore[assignment]

    assert [job.name for job in (Early(), Late(), Fixed(), Source(name="given"))] == [
        "early",
        "late",
        "fixed",
        "given",
    ]


def test_settings() -> None:
    job = Source()
    assert (job.GROUPS, job.DEFAULT_NODE, job.HEAD, job.MAX_QUEUE, job.DEPENDENCIES) == (
        "ALL",
        None,
        False,
        0,
        None,
    )
    assert Join(1).GROUPS == ["FAST", "ALL"]


def test_kinds() -> None:
    a, b, c = PicklePipe(1), PicklePipe(2), OptionalPicklePipe(3)
    source, sink, connector, alone = Source(outputs=[a]), Source([a]), Source([a], [b]), Source()
    kinds = [(job.is_source(), job.is_sink(), job.is_connector()) for job in (source, sink, connector, alone)]
    assert kinds == [(True, False, False), (False, True, False), (False, False, True), (True, True, False)]
    assert [job.is_async() for job in (source, sink, Source([c]), Source([a, c]))] == [
        False,
        False,
        True,
        False,
    ]


def test_local_jobs_in_either_order() -> None:
    class Before(LocalJob, Source):
        pass

    class After(Source, LocalJob):
        pass

    for kind in (Before, After):
        assert kind().GROUPS == "LOCAL"
        assert isinstance(kind(), LocalJob)
        assert kind(outputs=[PicklePipe(1)]).is_source()


def test_states() -> None:
    assert [STOPPED, RUNNING, RESTARTING, FINISHED] == [0, 1, 2, 3] == list(JobStatus)


def test_hooks_do_nothing_by_themselves() -> None:
    job = Source()
    before = dict(vars(job))
    job.setup(1, two=2)
    job.teardown()
    assert vars(job) == before
    assert job.preference([NodeInfo(cpu=50.0, memory=1, disk=1, swap=0.0)]) is None


def test_a_job_without_run_says_so() -> None:
    class Lazy(PythonJob):
        pass

    with pytest.raises(JobDefinitionError, match=r"job Lazy 1: .*Write a method run in Lazy"):
        Lazy().run()


# -- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (lambda: PicklePipe(1), r"Source, outputs: wrong type; .*Put it in a list: outputs=\[...\]"),
        (lambda: 101, "expected a list of pipes, found 101"),
        (lambda: "101", "expected a list of pipes, found '101'"),
        (lambda: [PicklePipe], r"Call the class with an id: PicklePipe\(101\)"),
        (lambda: [101], r"An id alone has no class: PicklePipe\(101\)"),
        (lambda: [PicklePipe(1), [PicklePipe(2)]], r"expected a pipe, found \[PicklePipe\(2\)\]"),
    ],
)
def test_what_is_no_list_of_pipes(given_: Any, text: str) -> None:
    with pytest.raises(JobDefinitionError, match=text):
        Source(outputs=given_())
    assert base.JOBS == {}


def test_an_init_that_forgets_super_can_still_be_shown() -> None:
    class Forgetful(PythonJob):
        def __init__(self) -> None:
            pass

    assert repr(Forgetful()) == "<Forgetful without id>"


def test_an_unknown_keyword_is_an_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        Source(colour="red")  # type: ignore[call-arg]


# -- heads ------------------------------------------------------------------------------------------------


def test_finish() -> None:
    one, other = Source(), Source()
    one.finish()
    assert one._finishing
    assert not other._finishing


def test_the_head_has_the_size_of_the_network() -> None:
    job = Join(1)
    job.head_size = 2
    assert job.head == Head(0, 2)
    job.head = 7
    assert job.head == Head(7, 2)
    job.head = Head(1, 3)
    assert job.head == Head(1, 3)
    job.head = 0xFFFFFF
    assert len(job.head) == 3
    with pytest.raises(HeadError):
        job.head = 1 << 24
    job.head[5] = 1
    assert job.head[5]


@given(st.lists(st.integers(0, 255) | st.lists(st.integers(0, 255), min_size=2, max_size=4), max_size=5))
def test_head_reduce_is_the_or_of_all(values: list[int | list[int]]) -> None:
    job = Join(1)
    job.in_heads = [Head(v, 1) if isinstance(v, int) else [Head(w, 1) for w in v] for v in values]
    expected = 0
    for value in values:
        for one in [value] if isinstance(value, int) else value:
            expected |= one
    assert job.head_reduce() == Head(expected, 1)


# -- pickled ----------------------------------------------------------------------------------------------


def test_a_pickled_job_is_a_value() -> None:
    job = Join(3, [PicklePipe(1), OptionalPicklePipe(2)], [PicklePipe(3)], name="the join")
    data = pickle.dumps(job)
    base.reset()
    twin = pickle.loads(data)
    assert (twin.id, twin.name, twin.factor) == (job.id, "the join", 3)
    assert [repr(pipe) for pipe in twin.inputs + twin.outputs] == [
        "PicklePipe(1)",
        "OptionalPicklePipe(2)",
        "PicklePipe(3)",
    ]
    assert (base.JOBS, base.PIPES) == ({}, {})


def test_a_pickled_job_does_not_take_its_neighbors_along() -> None:
    class_names = {"Source", "Join"}
    source, join = Source(outputs=[PicklePipe(1)]), Join(3, [PicklePipe(1)])
    for job in (source, join):
        others = class_names - {type(job).__name__}
        assert not any(name.encode() in pickle.dumps(job) for name in others)


def fresh(code: str) -> str:
    """Run code in a fresh process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_job_wakes_up_in_a_fresh_process_without_the_registries() -> None:
    job = DistributingJob([BytesPipe(5, 16, 3)], [ArrayPipe(6, "int16", (4,)), ArrayPipe(7)])
    output = fresh(
        f"""
        import pickle
        job = pickle.loads({pickle.dumps(job)!r})
        from fission.core import base
        assert not (base.JOBS or base.PIPES or base.NODES or base.GROUPS)
        assert type(job.inputs[0]).__call__  # the class is whole
        print(job.name, [str(pipe) for pipe in job.inputs + job.outputs], job.inputs[0].BLOCK_COUNT)
        print(job.run("x"))
        """
    )
    assert output == (
        "DistributingJob 1 ['pipe 5 (BytesPipe)', 'pipe 6 (ArrayPipe)', 'pipe 7 (ArrayPipe)'] 3\n('x', 'x')\n"
    )


def test_what_a_job_process_imports_is_light() -> None:
    output = fresh(
        """
        import sys
        before = set(sys.modules)
        import fission.core.jobs, fission.core.pipes, fission.core.jobs.library, fission.core.head
        print(*sorted(name for name in set(sys.modules) - before if not name.startswith("fission")))
        """
    )
    assert set(output.split()) <= {"__future__"}


def test_exports() -> None:
    for name in fission.core.jobs.__all__:
        thing = getattr(fission.core.jobs, name)
        assert isinstance(thing, JobStatus) or thing.__name__ == name
    assert dir(fission.core.jobs) == sorted(fission.core.jobs.__all__)
    with pytest.raises(AttributeError, match="NoJob"):
        fission.core.jobs.NoJob  # noqa: B018
    assert issubclass(fission.core.jobs.PythonJob, BaseJob)
