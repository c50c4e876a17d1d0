"""A bit in the head of a block changes what is written two jobs later."""
