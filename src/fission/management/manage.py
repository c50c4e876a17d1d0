"""What `manage.py` of a project runs: `python3 manage.py <network> <command>`."""

from pathlib import Path

from fission.management.console.guard import guard

_HELP = """Work on a network of this project.

\b
Examples:
  python3 manage.py demo startnetwork          create the network demo
  python3 manage.py demo check                 all that is wrong with it, at once
  python3 manage.py demo simulate              run all its jobs on this machine
  python3 manage.py demo simulate --for 10s
  python3 manage.py demo graphviz              draw it into demo/network.pdf

Every command has help: python3 manage.py demo COMMAND --help
"""


def main(argv: list[str], root: Path | None = None) -> int:
    """Run `argv` (without the program's name) for the project `root`, by default the working directory."""

    def work() -> int:
        from fission.management.cli.apps import PROJECT_VERBS, run_named  # noqa: PLC0415 - Ctrl+C is ours here

        return run_named(
            argv,
            PROJECT_VERBS,
            root or Path.cwd(),
            program="python3 manage.py",
            kind="network",
            help_text=_HELP,
        )

    return guard(work)
