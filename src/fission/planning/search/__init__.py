"""The search: lower bounds by placements, and a local search with routing and slot assignment. Pure."""
