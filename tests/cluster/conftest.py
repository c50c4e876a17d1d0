"""The model of a cluster is imported by these tests from among the properties."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.core import base

sys.path.insert(0, str(Path(__file__).parent.parent / "properties"))


@pytest.fixture(autouse=True)
def _empty_registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()
