"""A counter and a CSV file: the smallest network, without a class of its own."""
