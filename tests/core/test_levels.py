"""The named levels have the numbers of `logging`."""

import logging

import pytest

from fission.core import levels


@pytest.mark.parametrize("name", levels.__all__)
def test_a_level_has_the_number_of_logging(name: str) -> None:
    assert getattr(levels, name) == logging.getLevelNamesMapping()[name]
