"""What a failure costs: how long it takes until it is seen, and until blocks arrive at the sink again."""
