"""Networks in formats other than config.py: XML, graph descriptions, pictures."""
