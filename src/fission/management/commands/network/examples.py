"""`examples`: list the networks that `new network --example` copies."""

from fission.management.console.tables import new_console, show, table
from fission.project.examples import examples


def list_examples() -> int:
    """Print name and summary of every example. Raises ProjectError when they are not installed."""
    show(new_console(), table(("example", "what it shows"), [(one.name, one.summary) for one in examples()]))
    print("fission new network NAME --example EXAMPLE copies one into a project.")
    return 0
