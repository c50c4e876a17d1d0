"""Simulated wires, models and properties of the channel; they run on the real channel and on broken copies of it."""
