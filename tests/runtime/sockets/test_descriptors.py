"""The limit of descriptors: raised to the hard one, and never beyond a sensible number."""

import resource
from collections.abc import Iterator

import pytest

from fission.runtime.sockets.descriptors import descriptor_limit, raise_descriptor_limit


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    assert descriptor_limit() == 200
    wanted = 1 << 16 if hard == resource.RLIM_INFINITY else min(hard, 1 << 16)
    assert raise_descriptor_limit() == wanted
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)


def test_a_limit_that_is_high_enough_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    many = (1 << 20, 1 << 20)
    monkeypatch.setattr(resource, "getrlimit", lambda _: many)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("nothing is to be changed"))
    assert raise_descriptor_limit() == 1 << 16
    assert descriptor_limit() == 1 << 16


def test_a_limit_that_may_not_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", forbidden)
    assert raise_descriptor_limit() == 256
