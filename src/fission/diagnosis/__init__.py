"""What is wrong with machines and their connections, judged from what was measured. No socket, clock, file or process."""
