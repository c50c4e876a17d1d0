"""The command line: programs, commands, arguments and help texts."""
