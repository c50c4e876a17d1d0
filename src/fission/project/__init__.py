"""A project folder: scaffolding, config.py, checks."""
