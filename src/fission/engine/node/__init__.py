"""The node service: it runs the jobs that clients send to this machine."""
