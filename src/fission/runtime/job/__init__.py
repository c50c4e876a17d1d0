"""The process of one job: its rounds, its control channel, and what it reports."""
