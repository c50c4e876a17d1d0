"""Every rule finds what breaks it, and nothing else: a bad network per rule, and a large sound one."""

import functools
import re
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fission.core.structure
import fission.project.load
from fission.core import base
from fission.core.jobs import CSVSinkJob, ForwardingJob, LoggingJob, LoggingSinkJob, PythonJob, SourceJob
from fission.core.network import Network
from fission.core.nodes import BaseNode, LocalNode, MultiNode
from fission.core.pipes import BasePipe, BytesPipe, OptionalPicklePipe, PicklePipe
from fission.project.checks import CHECKS, RULES, Rule, check
from fission.project.checks._elsewhere import ELSEWHERE

from . import cases_of_jobs, cases_of_pipes_and_nodes, cases_of_programs  # noqa: F401 - they fill CASES
from .cases import CASES, Case, Join, Restricted, chain, grouped, problems, with_attributes
from .cases_of_jobs import Holder
from .cases_of_programs import FOLDER, Program, with_program


@pytest.mark.parametrize(
    ("rule", "build"), [(rule, build) for rule, builds in CASES.items() for build in builds]
)
def test_what_breaks_a_rule_is_found(rule: str, build: Case) -> None:
    found, where, message = build()
    assert [problem.id for problem in found] == [rule]
    assert found[0].where == where
    assert message in found[0].message
    assert "\n" not in str(found[0])
    assert found[0].level == ("error" if rule.startswith("E") else "warning")


def test_every_check_has_a_bad_network() -> None:
    assert set(CASES) == {one.rule.id for one in CHECKS}


# -- a sound network -----------------------------------------------------------------------------------------


class Logged(LoggingJob):
    def run_job(self, value: object, other: object = None) -> object:
        return value


class LoggedForwarding(LoggingJob, ForwardingJob):
    """Its rounds are those of the class behind LoggingJob."""


class Counter(PythonJob):
    GROUPS: Any = ("FAST", "ALL")
    HEAD = True
    MAX_QUEUE = 5
    DEPENDENCIES: Any = (str(Path(__file__).parent), functools, "json")

    def run(self) -> Iterable[int]:
        yield 1


class Fixed(Join):
    GROUPS: Any = ()
    DEFAULT_NODE = "192.168.4.7"


class Lines(BasePipe):
    BLOCK_SIZE = "lines"

    def read(self, file: Any) -> Any:
        return file.readline()


class Live(PicklePipe):
    DELIVERY = "live"
    DEADLINE = 0.5
    BLOCK_COUNT = 5
    DESTINATION_JOBS = (Join,)


def test_a_sound_network_has_no_problems() -> None:
    source, live, lines, fixed = Restricted(1), Live(2), Lines(3), BytesPipe(4, 16)
    back, rows, out = OptionalPicklePipe(5), PicklePipe(6), PicklePipe(7)
    jobs = [
        SourceJob(outputs=[source]),
        Counter(outputs=[live, lines]),
        CSVSinkJob("out.csv", inputs=[source]),
        Fixed(inputs=[live, back], outputs=[fixed]),
        Logged(inputs=[fixed, lines], outputs=[back], logging_output=rows),
        LoggedForwarding(inputs=[rows], outputs=[out]),
        LoggingSinkJob("log.csv", inputs=[out]),
    ]
    nodes = [MultiNode("192.168.4.*", "FAST"), BaseNode("pi.local"), BaseNode("::1"), LocalNode()]
    assert problems(jobs, nodes, folder=str(Path(__file__).parent)) == []


@pytest.mark.parametrize(
    ("executable", "dependencies"),
    [("good", "source"), ("./good -n 5", "source"), ("sh -c true", None), ("/bin/sh", None)],
)
def test_a_program_that_can_be_started_is_no_problem(executable: str, dependencies: object) -> None:
    job = with_attributes(
        Program, EXECUTABLE=executable, DEPENDENCIES=dependencies, PARAMETERS=["-x", 5], END_TIMEOUT=None
    )()
    assert problems(with_program(job), folder=str(FOLDER / "demo")) == []


def test_without_nodes_a_default_node_is_no_problem() -> None:
    assert problems(grouped("ALL", node="10.0.0.9")) == []


class Foreign(PythonJob):
    """Its run is a builtin that nothing is known about, or one that takes anything."""

    run = staticmethod(max)


class Anything(PythonJob):
    def run(*args: object) -> None:  # type: ignore[override]
        """Take self and the values in one."""


@pytest.mark.parametrize("kind", [Foreign, Anything])
def test_a_run_that_nothing_is_known_about_is_no_problem(kind: type[PythonJob]) -> None:
    assert problems(chain(PicklePipe(1), sink=kind())) == []


def test_large_arrays_are_not_copied_to_see_whether_they_can_be_pickled() -> None:
    jobs = chain(PicklePipe(1), sink=Holder(model=np.zeros(10_000_000)))
    tracemalloc.start()
    found = problems(jobs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == []
    assert peak < 1_000_000


# -- the table -----------------------------------------------------------------------------------------------


def test_ids_are_unique_and_say_their_level() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[EW][0-9]{3}", id) for id in ids)
    assert Rule("W001", "").level == "warning"


def test_the_list_of_rules_elsewhere_is_complete() -> None:
    places = [fission.core.structure, fission.project.load]
    written = {
        id for place in places for id in re.findall(r'"([EW]\d{3})"', Path(place.__file__).read_text())
    }
    assert {rule.id for rule in ELSEWHERE} == written | {"E001"}  # E001 stands for a ConfigError


def test_registries_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = Network.build("demo", chain(PicklePipe(1)), [BaseNode("10.0.0.1", "MICS")])
    base.reset()
    assert check(network) == ()


class Five(PicklePipe):
    BLOCK_COUNT = 5


class FiveLive(Five):
    DELIVERY = "live"


class Three(PicklePipe):
    BLOCK_COUNT = 3


def test_rates_that_fit_together() -> None:
    """Both ways to the join divide by 15; an optional and a live pipe are not waited for; two sources are free."""
    pipes = [PicklePipe(0), Five(1), Three(2), Three(3), Five(4), OptionalPicklePipe(5), FiveLive(6), Five(7)]
    jobs = [
        SourceJob(outputs=[pipes[1], pipes[3], pipes[5], pipes[6]]),
        Join([pipes[1]], [pipes[2]]),
        Join([pipes[3]], [pipes[4]]),
        SourceJob(outputs=[pipes[7]]),
        Join([pipes[2], pipes[4], pipes[5], pipes[6], pipes[7]], [pipes[0]]),
        Join([pipes[0]]),
    ]
    assert problems(jobs) == []
