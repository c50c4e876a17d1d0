"""The bytes of blocks and frames: what values become, and what travels over a connection. Pure."""
