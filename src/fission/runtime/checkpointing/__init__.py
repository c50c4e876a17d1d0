"""Checkpoints of a job: capturing its state, storing it, and proving that a restart repeats it."""
