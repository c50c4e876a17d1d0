"""Commands that need no nodes: create, check, simulate, draw, export, test, place."""
