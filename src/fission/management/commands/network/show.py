"""`show`: open a picture of a network in a window."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fission.management.access.problems import load_and_check
from fission.management.commands.network.graph import draw, where_jobs_are


def show_command(root: Path, name: str) -> int:
    """Draw a network to network.png in its folder, and open it if there is a display.

    Raises ProjectError and ConfigError.
    """
    network, _ = load_and_check(root, name)
    path = Path(network.folder) / "network.png"
    draw(network, path, "png", where_jobs_are(root, name))
    opener = _opener()
    if opener is None:
        print(f"There is no display. The picture is {path}")
    elif subprocess.run([opener, str(path)], check=False, capture_output=True).returncode:  # noqa: S603 - a program of the system
        print(f"{opener} could not open a window. The picture is {path}")
    else:
        print(f"Opened {path}")
    return 0


def _opener() -> str | None:
    """Return the program that opens a picture, or None without a display."""
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None
