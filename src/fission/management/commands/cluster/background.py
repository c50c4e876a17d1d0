"""`run --detach`: start a run in the background, and return once the network runs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from fission.cluster.transitions import JobState, Phase
from fission.engine.client.views import STATES
from fission.engine.files.locks import lock_holder
from fission.errors import RunError
from fission.management.access.running_client import ask
from fission.project.load import find_network

__all__ = ["BACKGROUND", "start_in_background"]

BACKGROUND = "--in-background"
"""Option of the process that `--detach` starts: the run continues when the reader of its output is gone."""

_LOOK_SECONDS = 0.2
_STARTED = (STATES[JobState.RUNNING], STATES[JobState.FINISHED])


def start_in_background(root: Path, name: str) -> int:
    """Run this command again in a session of its own; show its output until all jobs run. Return 0, or its exit code.

    Ctrl+C before that stops it.
    """
    arguments = [BACKGROUND if one == "--detach" else one for one in sys.argv]
    process = subprocess.Popen(  # noqa: S603 - the command that was typed
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    echo = threading.Thread(target=_echo, args=(process.stdout,), daemon=True)
    echo.start()
    try:
        while process.poll() is None:
            if _runs(root, name, process.pid):
                print(_AWAY.format(name=name, pid=process.pid))
                return 0
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
    echo.join()
    return process.returncode


_AWAY = """\
{name} runs in the background (process {pid})
  fission attach {name}   shows it
  fission stop {name}     ends it"""


def _echo(output: IO[bytes]) -> None:
    while data := os.read(output.fileno(), 1 << 16):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def _runs(root: Path, name: str, client: int) -> bool:
    """Whether this client runs the network, and all of its jobs have started."""
    if lock_holder(find_network(root, name)) != client:
        return False
    try:
        answer: Mapping[str, Any] | None = ask(root, name, do="status")
    except RunError:  # it does not listen yet
        return False
    if answer is None:
        return False
    network = answer["network"]
    return network["phase"] == Phase.RUNNING.name.lower() and all(
        job["state"] in _STARTED for job in network["jobs"]
    )
