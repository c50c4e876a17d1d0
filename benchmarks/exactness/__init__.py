"""The cost of exactness: exact delivery beside live delivery, and checkpoints of states of all sizes."""
