"""The command of the node service: options, log, start."""
