"""Joins give what a model says that sees all streams at once, in whatever order the blocks arrive."""

from channel_kit import join_model, timed_model
from channel_kit.effort import explore
from channel_kit.loading import load
from hypothesis import given
from hypothesis import strategies as st

CHANNEL = load()


@explore(300)
@given(streams=join_model.streams(), choices=st.data())
def test_rounds_do_not_depend_on_the_order_of_arrival(streams, choices):
    join_model.run(CHANNEL, streams, choices)


@explore(200)
@given(steps=timed_model.STEPS, counts=st.tuples(*[st.integers(1, 2)] * 3))
def test_deadlines_replace_what_is_late_and_nothing_else(steps, counts):
    timed_model.run(CHANNEL, steps, counts)
