"""The functions that the `manage.py` of an older project imports."""

from fission.management.manage import execute_from_command_line, execute_simulation

__all__ = ["execute_from_command_line", "execute_simulation"]
