"""Chaos that can be repeated: the networks and faults of a seed, and what they compute when nothing happens to them."""

from pathlib import Path

import pytest

from chaoskit.faults import Kind, random_faults
from chaoskit.plan import CONNECTORS, PIPES, SOURCES, random_network
from chaoskit.project import ChaosProject, difference

MANY = range(300)


def test_a_seed_makes_the_same_network_and_faults_again():
    for seed in MANY:
        network = random_network(seed)
        assert network == random_network(seed)
        assert random_faults(seed, network, 20) == random_faults(seed, network, 20)
    assert len({random_network(seed) for seed in MANY}) > 290


def test_networks_have_all_that_was_promised():
    networks = [random_network(seed) for seed in MANY]
    jobs = [job for network in networks for job in network.jobs]
    assert {job.kind for job in jobs} == {*SOURCES, *CONNECTORS, "Sink"}
    assert {pipe.kind for job in jobs for pipe in job.inputs} == {*PIPES, "optional"}
    assert {pipe.count for job in jobs for pipe in job.inputs} >= {1, 2, 3, 4, 6, 12}
    assert max(len(job.inputs) for job in jobs) > 2
    assert max(len(job.outputs) for job in jobs) > 2
    assert all(network.sinks and set(network.sinks) <= set(network.ids(local=True)) for network in networks)


def test_every_pipe_has_two_ends():
    for seed in MANY:
        jobs = random_network(seed).jobs
        read = sorted(pipe.id for job in jobs for pipe in job.inputs)
        assert read == sorted(pipe.id for job in jobs for pipe in job.outputs)
        assert len(set(read)) == len(read)


def test_faults_have_all_kinds_and_targets_that_exist():
    plans = [(random_network(seed), random_faults(seed, random_network(seed), 20)) for seed in MANY]
    assert {fault.kind for _, faults in plans for fault in faults} == set(Kind)
    for network, faults in plans:
        assert not faults[0].at_once
        assert all(
            1 <= fault.target <= len(network.jobs)
            for fault in faults
            if fault.kind in (Kind.JOB, Kind.FREEZE_JOB)
        )


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.long) for seed in (3, 12))])
def test_an_undisturbed_run_gives_the_same_output_again(seed: int, tmp_path: Path):
    project = ChaosProject(tmp_path, random_network(seed), 300)
    first = project.reference()
    assert all(output.count(b"\n") > 300 // 12 for output in first.values())
    assert not difference(first, project.reference())


def test_a_difference_is_shown_at_its_line():
    expected = {4: b"pipe_1\n10\n20\n30\n40\n50\n"}
    assert not difference(expected, dict(expected))
    lost = difference(expected, {4: b"pipe_1\n10\n20\n40\n50\n"})
    assert "sink 4: 6 lines expected, 5 found" in lost
    assert "line 3: expected 30, found 40" in lost
    assert "found nothing" in difference(expected, {4: b"pipe_1\n10\n"})
    assert "0 found" in difference(expected, {})
