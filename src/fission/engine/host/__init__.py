"""Runs jobs on one machine, a node's or the client's."""
