"""The rate of blocks through programs: `python -m benchmarks.programs`."""
