"""Chaos for as long as one likes: faults by chance under networks by chance, whose output must not change."""
