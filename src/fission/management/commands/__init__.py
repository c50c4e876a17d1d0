"""What the commands do, one file per command."""
