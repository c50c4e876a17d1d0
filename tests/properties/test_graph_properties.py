"""Whole networks: any connectors may die at any time, the sink's output is that of the undisturbed run."""

import pytest
from channel_kit.effort import explore
from channel_kit.graph import GRAPHS, World
from channel_kit.graph_machine import graph_machine
from channel_kit.loading import load

CHANNEL = load()


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("retain", [0, 1 << 20])
@pytest.mark.parametrize("every", [2, 1000])
def test_the_undisturbed_run(graph, retain, every):
    World(CHANNEL, graph, retain=retain, every=every).drain()


TestGraph = graph_machine(CHANNEL).TestCase
TestGraph.settings = explore(60, steps=30)
