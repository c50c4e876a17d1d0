"""Starting and supervising job processes: fresh ones and ones forked from a warm process."""
