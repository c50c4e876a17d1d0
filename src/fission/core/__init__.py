"""The language of networks: jobs, pipes, heads, nodes, networks.

Pure, with three exceptions, which run in job processes only: `jobs/files.py` opens files, `jobs/pacing.py` and
`jobs/logged.py` read the clock.
"""
