"""Chaos campaigns of any length: random faults in random networks, whose output must not change."""
