"""Judges faults of one job, without the state of the cluster: how often it crashed, whether its process makes progress."""
