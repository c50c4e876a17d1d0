"""What exactness costs: exact delivery beside live delivery, and checkpoints of states of all sizes."""
