"""Broken copies of the channel: a test of the tests."""
