"""Two voices that speak at the same time are separated (FOBI)."""
