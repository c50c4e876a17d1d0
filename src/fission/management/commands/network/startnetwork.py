"""`startnetwork`: a new network in a project."""

from pathlib import Path

from fission.project.scaffold import start_network


def start_network_command(root: Path, name: str) -> int:
    """Create the network and say what to do next. Raises ProjectError."""
    folder = start_network(root, name)
    print(f"Created the network {folder}. Next:")
    print(f"  write jobs into {name}/jobs/jobs.py, and join them in {name}/config.py")
    print(f"  python3 manage.py {name} simulate        (or: fission simulate {name})")
    return 0
