"""The data plane of a job process: blocks in, blocks out, and the rounds between them."""
