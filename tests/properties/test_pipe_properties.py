"""Pipes survive every fault that is promised to be survived."""

from channel_kit.live_machine import live_machine
from channel_kit.loading import load
from channel_kit.pipe_machine import pipe_machine
from hypothesis import settings

CHANNEL = load()

TestExactPipe = pipe_machine(CHANNEL).TestCase
TestExactPipe.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)

TestLivePipe = live_machine(CHANNEL).TestCase
TestLivePipe.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
