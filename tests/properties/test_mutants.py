"""Every broken copy of the channel is caught by the properties: a test of the tests."""

import pytest
from channel_kit import join_model, timed_model
from channel_kit.effort import another_try, repeat
from channel_kit.graph_machine import graph_machine
from channel_kit.live_machine import live_machine
from channel_kit.loading import load
from channel_kit.pipe_machine import pipe_machine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from mutants import catalog

pytestmark = pytest.mark.long


def pipe(channel):
    run_state_machine_as_test(pipe_machine(channel), settings=repeat(200, 60))


def live(channel):
    run_state_machine_as_test(live_machine(channel), settings=repeat(150, 30))


def graph(channel):
    run_state_machine_as_test(graph_machine(channel), settings=repeat(150, 25))


def join(channel):
    @repeat(300)
    @given(streams=join_model.streams(), choices=st.data())
    def check(streams, choices):
        join_model.run(channel, streams, choices)

    check()


def timed(channel):
    @repeat(500)
    @given(steps=timed_model.STEPS, counts=st.tuples(*[st.integers(1, 2)] * 3))
    def check(steps, counts):
        timed_model.run(channel, steps, counts)

    check()


CASES = [
    *((pipe, mutant) for mutant in catalog.PIPE),
    *((live, mutant) for mutant in catalog.LIVE),
    *((join, mutant) for mutant in catalog.JOIN),
    *((timed, mutant) for mutant in catalog.TIMED),
    *((graph, mutant) for mutant in catalog.GRAPH),
]


@pytest.mark.parametrize(
    ("check", "mutant"), CASES, ids=[f"{check.__name__}: {mutant.name}" for check, mutant in CASES]
)
def test_the_properties_catch(check, mutant):
    channel = load(mutant)
    if not caught(check, channel):
        with another_try():
            assert any(caught(check, channel) for _ in range(TRIES)), "no property notices it"


TRIES = 12
"""Further attempts, with new examples, before a mutant counts as overlooked."""


def caught(check, channel) -> bool:
    try:
        check(channel)
    except Exception:  # noqa: BLE001 - a failed assertion or any error of the broken channel
        return True
    return False


@pytest.mark.parametrize("check", [pipe, live, join, timed, graph])
def test_with_the_same_effort_the_real_channel_passes(check):
    check(load())
