"""The peers carry the same blocks without FISSION; each is written as well as we can."""
