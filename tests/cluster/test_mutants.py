"""A test of the tests: coordinators with one broken rule do not pass the properties."""

import pytest
from cluster_machine import ClusterMachine, all_of_them
from cluster_mutants import MUTANTS, Mutant
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

pytestmark = pytest.mark.long

QUICK = settings(
    max_examples=1500,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it breaks
        all_of_them(lambda: run_state_machine_as_test(ClusterMachine, settings=QUICK))
