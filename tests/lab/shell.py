"""System commands that build the lab, and waiting for conditions."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import cache

DEADLINE = 30.0
_COMMAND_SECONDS = 10.0


class LabError(Exception):
    """The lab, or an operation on it, failed."""


def system(*command: str, given: str | None = None) -> str:
    """Run a system command and return its output. Raises LabError with its error output."""
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


@cache
def unavailable() -> str:
    """Return the reason why this machine cannot run a lab, or ""."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "tc", "nft") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found: install iproute2 and nftables"
    probe = f"fission-probe-{os.getpid()}"
    try:
        system("ip", "netns", "add", probe)
        system("ip", "-n", probe, "link", "add", "one", "type", "veth", "peer", "name", "two")
    except LabError as error:
        return f"network namespaces do not work here: {error}"
    finally:
        subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)
    return ""


def wait_for(condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Wait until the condition holds. Raises LabError with `what` when it does not in time."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"waited {deadline:g} s for: {what}")
        time.sleep(0.01)
