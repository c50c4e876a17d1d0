"""The program `fission_admin.py`: `fission_admin.py <project> startproject`, `fission_admin.py certs`."""

import sys
from pathlib import Path

from fission.management.console.exit_codes import exit_code_of

_HELP = """Create a project, or the certificates of a cluster.

\b
Examples:
  fission_admin.py greenhouse startproject
  cd greenhouse
  python3 manage.py demo startnetwork
  fission_admin.py certs --node 192.168.4.2
"""


def main() -> int:
    """Run the command line; the process ends with the code that it returns or exits with."""

    def work() -> int:
        from fission.management.cli.apps import ADMIN_VERBS, fission_app, run_named  # noqa: PLC0415 - Ctrl+C is handled from here on

        words = sys.argv[1:]
        if words[:1] == ["certs"] and words[1:2] != ["startproject"]:  # certificates belong to no project
            fission_app()(words, prog_name="fission_admin.py")
        return run_named(
            words, ADMIN_VERBS, Path(), program="fission_admin.py", kind="project", help_text=_HELP
        )

    return exit_code_of(work)
