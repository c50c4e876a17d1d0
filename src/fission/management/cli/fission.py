"""The program `fission`."""

import gc

from fission.management.console.exit_codes import exit_code_of

_GC_THRESHOLD = 20_000
"""Allocations between garbage collections: imports allocate very many objects, none of them garbage."""


def main() -> int:
    """Run the command line; the process ends with the code that it returns or exits with."""
    gc.set_threshold(_GC_THRESHOLD)

    def work() -> int:
        from fission.management.cli.apps import fission_app  # noqa: PLC0415 - Ctrl+C is handled from here on

        fission_app()(prog_name="fission")
        return 0

    return exit_code_of(work)
