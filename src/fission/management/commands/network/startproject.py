"""`startproject`: a new project with a shared network."""

from pathlib import Path

from fission.project.scaffold import start_project


def start_project_command(parent: Path, name: str) -> int:
    """Create the project and say what to do next. Raises ProjectError."""
    folder = start_project(parent, name)
    print(f"Created the project {folder}. Next:")
    print(f"  cd {folder}")
    print("  python3 manage.py demo startnetwork      (or: fission new network demo)")
    return 0
