"""Job processes that are joined over the loopback, with and without TLS."""

import sys
from pathlib import Path

import pytest

from fission.core import base
from fission.security.ephemeral import EphemeralAuthority, ephemeral_authority

sys.path.insert(0, str(Path(__file__).parent))  # the jobs' processes import wired_jobs from here


@pytest.fixture(autouse=True)
def _empty() -> None:
    base.reset()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> EphemeralAuthority:
    """The certificates of a cluster."""
    return ephemeral_authority(tmp_path_factory.mktemp("cluster"))
