"""Starts the runs, one after the other, and ends every process that they started."""
