"""The files in the private folder of a network's client."""
