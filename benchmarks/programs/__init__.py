"""How fast blocks go through programs: `python -m benchmarks.programs`."""
