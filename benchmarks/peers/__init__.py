"""The peers: what carries the same blocks without FISSION, each written as well as we can."""
