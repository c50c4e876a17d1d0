"""Faults by chance: whatever happens, the sinks' files are those of an undisturbed run, to the last byte.

The long form is `python -m benchmarks.chaos`.
"""

from pathlib import Path

import pytest

from chaoskit.campaign import Campaign
from chaoskit.faults import Kind
from lab import Lab, unavailable

pytestmark = pytest.mark.long

FAULTS = 5


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_faults_by_chance_change_nothing(seed: int, tmp_path: Path) -> None:
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path / "lab") as lab:
        campaign = Campaign(lab, tmp_path, seed, FAULTS)
        campaign.run()
    assert len(campaign.struck) >= FAULTS - 2, campaign.story()


@pytest.mark.timeout(300)
def test_cuts_between_nodes_and_killed_jobs_change_nothing(tmp_path: Path) -> None:
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path / "lab") as lab:
        campaign = Campaign(lab, tmp_path, 1, 4, kinds=(Kind.CUT, Kind.JOB))
        campaign.run()
    assert Kind.CUT in {fault.kind for fault in campaign.struck}, campaign.story()


@pytest.mark.timeout(300)
def test_full_disks_are_noticed_and_change_nothing(tmp_path: Path) -> None:
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path / "lab") as lab:
        campaign = Campaign(lab, tmp_path, 2, 4, kinds=(Kind.DISK, Kind.JOB))
        campaign.run()
    assert Kind.DISK in {fault.kind for fault in campaign.struck}, campaign.story()
    assert campaign.refused, campaign.story()
