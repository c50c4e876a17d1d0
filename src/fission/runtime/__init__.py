"""The job process: sockets, the loop around run(), control messages."""
