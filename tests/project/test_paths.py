"""The thin top modules define nothing; they re-export."""

import importlib

import pytest


@pytest.mark.parametrize("module", ["loader", "build", "visualize", "manager"])
def test_every_name_is_defined_elsewhere(module: str) -> None:
    found = importlib.import_module(f"fission.{module}")
    assert found.__all__ == sorted(found.__all__)
    for name in found.__all__:
        assert getattr(found, name).__module__ != found.__name__
