"""Runs every job of a network on this machine, without nodes."""
