"""The command `shell`: a prompt for a network and its nodes."""
