from collections.abc import Iterator

import pytest

from fission.core import base


@pytest.fixture(autouse=True)
def _clean_registries() -> Iterator[None]:
    """Every test starts and ends with nothing made."""
    base.reset()
    yield
    for registry in (base.JOBS, base.PIPES):
        for number, thing in registry.items():
            assert thing.id == number
    base.reset()
