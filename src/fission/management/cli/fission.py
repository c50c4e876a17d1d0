"""The program `fission`."""

import gc

from fission.management.console.guard import guard

_PATIENT = 20_000
"""Objects after which garbage is looked for: imports make very many, and none of it is garbage."""


def main() -> int:
    """Run the command line; the process ends with the code that it returns or exits with."""
    gc.set_threshold(_PATIENT)

    def work() -> int:
        from fission.management.cli.apps import fission_app  # noqa: PLC0415 - Ctrl+C is ours from here on

        fission_app()(prog_name="fission")
        return 0

    return guard(work)
