"""Replicas of job states on other machines."""
