"""One exact pipe survives every fault that is promised to be survived."""

from channel_kit.loading import load
from channel_kit.pipe_machine import pipe_machine
from hypothesis import settings

TestExactPipe = pipe_machine(load()).TestCase
TestExactPipe.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
