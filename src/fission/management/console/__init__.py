"""What commands print: tables, job lines, logs, errors and exit codes."""
