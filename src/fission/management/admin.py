"""The program `fission_admin.py`: `fission_admin.py <project> startproject`."""

import sys
from pathlib import Path

from fission.management._guard import guard

_HELP = """Create a project.

\b
Example:
  fission_admin.py greenhouse startproject
  cd greenhouse
  python3 manage.py demo startnetwork
"""


def main() -> int:
    """Run the command line; the process ends with the code that it returns or exits with."""

    def work() -> int:
        from fission.management._apps import ADMIN_VERBS, run_named  # noqa: PLC0415 - Ctrl+C is ours here

        return run_named(
            sys.argv[1:], ADMIN_VERBS, Path(), program="fission_admin.py", kind="project", help_text=_HELP
        )

    return guard(work)
