"""The client of a run: coordinator shell, instructions, journal, views."""
