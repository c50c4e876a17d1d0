from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from fission.core import base

# machines that run tests are busy: how long an example takes says nothing
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _clean_registries() -> Iterator[None]:
    """Every test starts and ends with nothing made."""
    base.reset()
    yield
    for registry in (base.JOBS, base.PIPES):
        for number, thing in registry.items():
            assert thing.id == number
    base.reset()
