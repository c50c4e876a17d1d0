"""Three counters, a join that multiplies, and a pipe that delivers five blocks at once."""
