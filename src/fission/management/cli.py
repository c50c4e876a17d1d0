"""The program `fission`."""

from fission.management._guard import guard


def main() -> int:
    """Run the command line; the process ends with the code that it returns or exits with."""

    def work() -> int:
        from fission.management._apps import fission_app  # noqa: PLC0415 - Ctrl+C is ours from here on

        fission_app()(prog_name="fission")
        return 0

    return guard(work)
