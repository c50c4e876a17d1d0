"""Typed values as plain data, and plain data as bytes. Decoding imports nothing and runs no code of the sender."""
