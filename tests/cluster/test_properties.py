"""Hypothesis against the coordinator."""

from cluster_machine import ClusterMachine
from hypothesis import HealthCheck, settings

TestCluster = ClusterMachine.TestCase
TestCluster.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
