"""Import paths that the users of the seed know; they only pass names on."""

import importlib

import pytest


@pytest.mark.parametrize("module", ["loader", "build", "visualize"])
def test_what_stands_there_is_made_elsewhere(module: str) -> None:
    found = importlib.import_module(f"fission.{module}")
    assert found.__all__ == sorted(found.__all__)
    for name in found.__all__:
        assert getattr(found, name).__module__ != found.__name__
