"""`startnetwork`: create a network in a project."""

from pathlib import Path

from fission.project.examples import find_example
from fission.project.scaffold import start_network


def start_network_command(root: Path, name: str, *, example: str | None = None) -> int:
    """Create the network and print the next steps. Raises ProjectError."""
    copied = None if example is None else find_example(example)
    folder = start_network(root, name, copied)
    if copied is None:
        print(f"Created the network {folder}. Next:")
        print(f"  write jobs in {name}/jobs/jobs.py, and connect them in {name}/config.py")
    else:
        print(f"Created the network {folder}, a copy of the example {copied.name}. Next:")
        print(f"  read {copied.readme}, and {name}/jobs/jobs.py")
    print(f"  fission simulate {name}")
    return 0
