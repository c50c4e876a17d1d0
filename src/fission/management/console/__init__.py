"""Output of the commands: tables, job lines, logs, errors and exit codes."""
