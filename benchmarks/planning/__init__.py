"""How good and how fast `fission plan` is: MARVELO's instances, generated ones, and a semi-greedy baseline."""
