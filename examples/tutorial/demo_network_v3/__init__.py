"""Jobs with several outputs, and results in CSV files."""
