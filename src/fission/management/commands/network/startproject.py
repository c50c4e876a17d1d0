"""`startproject`: create a project with the folder `shared`."""

from pathlib import Path

from fission.project.scaffold import start_project


def start_project_command(parent: Path, name: str) -> int:
    """Create the project and print the next steps. Raises ProjectError."""
    folder = start_project(parent, name)
    print(f"Created the project {folder}. Next:")
    print(f"  cd {folder}")
    print("  fission new network demo")
    return 0
