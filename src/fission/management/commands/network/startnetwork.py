"""`startnetwork`: create a network in a project."""

from pathlib import Path

from fission.project.scaffold import start_network


def start_network_command(root: Path, name: str) -> int:
    """Create the network and print the next steps. Raises ProjectError."""
    folder = start_network(root, name)
    print(f"Created the network {folder}. Next:")
    print(f"  write jobs in {name}/jobs/jobs.py, and connect them in {name}/config.py")
    print(f"  fission simulate {name}")
    return 0
