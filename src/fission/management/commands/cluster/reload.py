"""`reload`: give new code to the jobs of a running network, one after the other."""

from pathlib import Path

from fission.management.access.running_client import ask, ask_simulation, no_client
from fission.management.commands.cluster.move import job_id
from fission.management.console.exit_codes import print_error


def reload_command(root: Path, name: str, job: str) -> int:
    """Restart the jobs whose code has changed, or the one that is given, and print what has become of them.

    Return 0 when they run the new code, 1 when it has failed and the old one goes on, 2 when it was refused. Raises RunError,
    ProjectError and ConfigError.
    """
    wanted = job_id(root, name, job) if job else 0
    answer = ask(root, name, seconds=None, do="reload", job=wanted)
    if answer is None:
        if ask_simulation(root, name, do="status") is not None:
            print_error(
                f"network {name}: a simulation is not reloaded: it has no checkpoints. Start it again"
            )
            return 2
        raise no_client(root, name)
    for line in answer.get("lines", ()):
        print(line)
    for error in answer.get("errors", ()):
        print_error(f"network {name}: {error}")
    if not answer.get("errors"):
        return 0
    return 1 if answer.get("failed") else 2
