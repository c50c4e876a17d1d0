"""Commands for a network that runs on nodes: run, stop, status, move, logs, debug."""
