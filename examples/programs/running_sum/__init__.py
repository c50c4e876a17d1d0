"""Typed numbers, and a program in Python or C that adds them up."""
