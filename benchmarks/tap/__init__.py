"""What a tap costs the pipe that it shows."""
