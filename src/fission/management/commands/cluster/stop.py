"""`stop`: end a running network from another terminal, or one whose client is gone."""

import time
from pathlib import Path

from fission.engine.client.private.journal import left_running
from fission.engine.client.private.run_folder import private_folder
from fission.engine.files.locks import lock_holder
from fission.errors import RunError
from fission.management.access.problems import load_valid
from fission.management.access.running_client import ask, not_to_be_asked
from fission.management.commands.cluster.run import RunOptions, run_network
from fission.project.load import find_network

_LONGEST = 10.0


def stop_command(root: Path, name: str, *, force: bool) -> int:
    """Stop everything everywhere; return when it has ended. Raises RunError when it does not end.

    Without a client that runs it, but with jobs that an earlier one has left, these are taken over and stopped.
    """
    deadline = time.monotonic() + _LONGEST
    while (answer := ask(root, name, do="stop", force=force)) is None:
        client = lock_holder(private_folder(find_network(root, name)))
        if not client:
            break
        if time.monotonic() > deadline:
            raise not_to_be_asked(name, client)
        time.sleep(0.1)  # it has just begun, and can be asked soon; or ends
    if answer is None:
        if not left_running(private_folder(find_network(root, name))):
            print(f"{name} does not run")
            return 0
        code = run_network(load_valid(root, name, quiet=True), root, RunOptions(stop=True, quiet=True))
        if code == 0:
            print(f"{name} has ended")
        return code
    deadline = time.monotonic() + _LONGEST
    while ask(root, name, do="status") is not None:
        if time.monotonic() > deadline:
            raise RunError("it does not end", where=f"network {name}", hint="Try: fission stop --force")
        time.sleep(0.1)
    print(f"{name} has ended")
    return 0
