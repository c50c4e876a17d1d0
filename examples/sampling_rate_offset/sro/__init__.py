"""How much faster one microphone's clock runs than that of another (DXCP)."""
