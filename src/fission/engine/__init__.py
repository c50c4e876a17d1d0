"""Who starts and watches job processes: the local engine."""
