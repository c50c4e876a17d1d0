"""Sockets of a job process: listening, connecting, polling, TLS."""
