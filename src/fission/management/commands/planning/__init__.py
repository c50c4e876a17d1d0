"""The command about wireless embeddings."""
