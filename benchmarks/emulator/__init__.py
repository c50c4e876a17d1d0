"""The processor time that the emulator of a job takes."""
