"""The entry points of a project's `manage.py`: `python3 manage.py <network> <command>`."""

import sys
from pathlib import Path
from types import ModuleType

from fission.management.console.exit_codes import exit_code_of, exit_code_of_run

_HELP = """Work on a network of this project.

\b
Examples:
  python3 manage.py demo startnetwork          create the network demo
  python3 manage.py demo check                 report all its problems
  python3 manage.py demo simulate              run all its jobs on this machine
  python3 manage.py demo simulate --for 10s
  python3 manage.py demo graphviz              draw it to demo/network.pdf

Every command has help: python3 manage.py demo COMMAND --help
"""


def main(argv: list[str], root: Path | None = None) -> int:
    """Run `argv` (without the program's name) for the project `root`, by default the working directory.

    Returns the exit code, or raises SystemExit with it.
    """

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

    return exit_code_of(work)


def execute_from_command_line(argv: list[str]) -> None:
    """Run `sys.argv` of a `manage.py`. Raises SystemExit with the exit code of the command, unless that is 0.

    The project is the folder of the script `argv[0]`, or the working directory where that is no file. The environment
    variable FISSION_CONFIG_MODULE is ignored: the settings of a network are in its config.py.
    """
    script = Path(argv[0]) if argv else Path()
    code = main(argv[1:], root=script.resolve().parent if script.is_file() else None)
    if code:
        sys.exit(code)


def execute_simulation(config: ModuleType, network_name: str, root: str = "") -> None:
    """Simulate the network of an imported `config.py`, until it finishes or Ctrl+C.

    Raises SystemExit with the exit code of `simulate`, unless that is 0. The folder of a simulation is always
    `<network>/simulation`; another `root` is refused.
    """

    def work() -> int:
        from fission.errors import UserError  # noqa: PLC0415 - Ctrl+C is handled before the imports
        from fission.management.access.problems import require_valid  # noqa: PLC0415
        from fission.management.commands.network.simulate import simulate_network  # noqa: PLC0415
        from fission.project.load import network_of_config  # noqa: PLC0415

        network, problems = network_of_config(config, network_name)
        folder = Path(network.folder)
        if root and Path(root).resolve() != folder / "simulation":
            raise UserError(
                "the folder of a simulation cannot be chosen",
                where="execute_simulation, root",
                expected=f"{folder / 'simulation'}, which is emptied first",
                found=str(root),
                hint="Leave root out",
            )
        return simulate_network(
            require_valid(network, problems), folder.parent, seconds=None, until_finished=False, quiet=False
        )

    code = exit_code_of_run(work, until_finished=False, quiet=False)
    if code:
        sys.exit(code)
