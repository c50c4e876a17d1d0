"""Two programs, placed and joined by an XML file."""
