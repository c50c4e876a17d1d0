"""What client and node say to each other, as values and as plain data."""
