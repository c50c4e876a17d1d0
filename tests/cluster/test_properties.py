"""Hypothesis against the coordinator."""

from cluster_machine import (
    ClusterMachine,
    a_link_comes_and_goes,
    done_is_lost,
    last_word_is_lost,
    silence_ends_with_the_process,
)
from hypothesis import HealthCheck, settings

from kits.effort import effort

TestCluster = ClusterMachine.TestCase
TestCluster.settings = settings(
    max_examples=effort(200), stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_last_word_may_be_lost() -> None:
    last_word_is_lost()


def test_a_link_may_come_and_go() -> None:
    a_link_comes_and_goes()


def test_silence_ends_with_the_process() -> None:
    silence_ends_with_the_process()


def test_done_may_be_lost() -> None:
    done_is_lost()
