"""How blocks travel: frames, windows, joins, acknowledgements. Pure."""
