"""Commands for devices: certificates."""
