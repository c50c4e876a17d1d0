"""A lab of a client and four nodes, for the tests that need real hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, unavailable


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A client and four nodes; skipped, with the reason, where that is not possible."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path / "lab") as one:
        yield one
