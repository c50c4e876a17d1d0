"""Pipes survive every fault that is promised to be survived."""

from channel_kit.effort import explore
from channel_kit.live_machine import live_machine
from channel_kit.loading import load
from channel_kit.pipe_machine import pipe_machine

CHANNEL = load()

TestExactPipe = pipe_machine(CHANNEL).TestCase
TestExactPipe.settings = explore(60, steps=50)

TestLivePipe = live_machine(CHANNEL).TestCase
TestLivePipe.settings = explore(40, steps=40)
