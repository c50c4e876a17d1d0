"""The admission policy against a plain model, and broken copies of it that the model has to catch."""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.runtime.sockets import admission
from fission.runtime.sockets.admission import address_group, limits_for

ADDRESSES = ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "fd00:0:0:1::1", ""]
ARRIVE = st.tuples(st.just("arrive"), st.sampled_from(ADDRESSES), st.sampled_from([0, 0, 0, 9, 10, 11]))
STEPS = st.lists(
    st.one_of(
        ARRIVE,
        ARRIVE,
        st.tuples(st.just("leave"), st.integers(0, 40), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 4.0]), st.just(0)),
    ),
    max_size=60,
)
LIMITS = st.tuples(st.integers(1, 8), st.integers(1, 6), st.just(10))


def check(module: Any, numbers: tuple[int, int, int], steps: list[tuple[str, Any, int]]) -> None:
    """Compare every step with the rules, written down as plainly as possible."""
    limits = module.AdmissionLimits(*numbers, seconds=5.0)
    policy: Any = module.Admission(limits)
    model: list[tuple[int, str, float]] = []  # connection, address, deadline; the oldest first
    now = 0.0
    for number, (what, value, descriptor) in enumerate(steps):
        if what == "arrive":
            rejected = policy.arrive(number, value, descriptor, now)
            model.append((number, address_group(value), now + 5.0))
            expected = []
            same = [one for one in model if one[1] == address_group(value)]
            if len(same) > limits.per_address:
                expected.append(same[0])
                model.remove(same[0])
            most = min(4, limits.pending) if descriptor >= limits.ceiling else limits.pending
            while len(model) > most:
                expected.append(model.pop(0))
        elif what == "leave":
            policy.leave(value)
            model = [one for one in model if one[0] != value]
            rejected, expected = [], []
        else:
            now += value
            rejected = policy.expire(now)
            expected = [one for one in model if now >= one[2]]
            model = [one for one in model if now < one[2]]
        assert [one.connection for one in rejected] == [one[0] for one in expected]
        assert all(one.reason for one in rejected)
        assert len(policy) == len(model) <= limits.pending
        assert policy.deadline() == (model[0][2] if model else None)


@given(numbers=LIMITS, steps=STEPS)
def test_the_policy_follows_its_rules(numbers: tuple[int, int, int], steps: list[Any]) -> None:
    check(admission, numbers, steps)


MUTANTS = [
    ("the limit is off by one", "len(self._pending) > limits.pending", "len(self._pending) > limits.pending + 1"),
    ("addresses have no limit", "len(same) > limits.per_address", "False"),
    ("the newest goes", "self._displace(next(iter(same)), reason)", "self._displace(connection, reason)"),
    ("the reserve is not kept", "descriptor >= limits.ceiling", "False"),
    ("the reserve begins late", "descriptor >= limits.ceiling", "descriptor > limits.ceiling"),
    ("one is displaced where many must be", "while len(self._pending) > min", "if len(self._pending) > min"),
    ("an address is not forgotten", "            del group[connection]\n", ""),
    ("time is never over", "and now >= deadline", "and now > deadline + 1e9"),
    ("time is over late", "and now >= deadline", "and now > deadline"),
    ("one is late at a time", "while (deadline := self.deadline()) is not None", "if (deadline := self.deadline()) is not None"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_the_model_catches_broken_copies(old: str, new: str) -> None:
    text = Path(admission.__file__).read_text()
    assert text.count(old) == 1
    broken = ModuleType("broken_admission")
    sys.modules["broken_admission"] = broken
    exec(compile(text.replace(old, new), "admission.py", "exec"), broken.__dict__)

    choose = random.Random(7)

    def attempt() -> None:
        for _ in range(1000):
            numbers = (choose.randint(1, 8), choose.randint(1, 6), 10)
            steps = [
                choose.choice(
                    [
                        *[("arrive", choose.choice(ADDRESSES), choose.choice([0, 0, 0, 0, 0, 9, 10, 11]))]
                        * 4,
                        ("leave", choose.randint(0, 30), 0),
                        ("wait", choose.choice([0.5, 1.0, 4.0]), 0),
                    ]
                )
                for _ in range(40)
            ]
            check(broken, numbers, steps)

    with pytest.raises((AssertionError, KeyError, StopIteration)):
        attempt()
    del sys.modules["broken_admission"]


@pytest.mark.parametrize(
    ("descriptors", "pending", "per_address", "ceiling"),
    [(256, 32, 16, 192), (1024, 128, 64, 768), (1 << 20, 128, 64, 786432), (20, 4, 2, 15)],
)
def test_the_limits_follow_from_the_descriptors(
    descriptors: int, pending: int, per_address: int, ceiling: int
) -> None:
    limits = limits_for(descriptors)
    assert (limits.pending, limits.per_address, limits.ceiling) == (pending, per_address, ceiling)
    more = limits_for(descriptors, expected=10)
    assert (more.pending, more.per_address) == (pending + 10, per_address + 10)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fd00::1", "fd00::ffff:1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", ""),
    ],
)
def test_addresses_that_count_as_one(one: str, other: str) -> None:
    assert address_group(one) == address_group(other)


def test_addresses_that_do_not() -> None:
    groups: Callable[[str], str] = address_group
    assert len({groups(one) for one in ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00:0:0:1::1", "")}) == 5
