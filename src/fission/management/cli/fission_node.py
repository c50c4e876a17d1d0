"""The program `fission-node`."""

from fission.management.console.exit_codes import exit_code_of


def main() -> int:
    """Run the program `fission-node`."""

    def work() -> int:
        import typer  # noqa: PLC0415 - Ctrl+C is handled from here on

        from fission.management.cli.device_verbs import node  # noqa: PLC0415

        app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
        app.command(context_settings={"help_option_names": ["--help", "-h"]})(node)
        app(prog_name="fission-node")
        return 0

    return exit_code_of(work)
