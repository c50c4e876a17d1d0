"""The cost of a failure: the time until it is detected, and until blocks arrive at the sink again."""
