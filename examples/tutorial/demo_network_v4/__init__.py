"""Typed lines set the operator through an optional pipe; with tests of the jobs."""
