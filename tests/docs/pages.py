"""Pages as tests read them: their fences, and a reader who types what stands in them."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DEADLINE = 60.0

_FENCE = re.compile(
    r'(?:^<!-- (\w+) -->\n\n)?^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Fence:
    """A block of code; `mark` is what the comment above it says, `title` the file that it is."""

    mark: str
    language: str
    title: str
    body: str


def all_pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def fences(page: Path) -> Iterator[Fence]:
    """The blocks of code of a page, in order."""
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        yield Fence(*(text or "" for text in found.groups()))


def expected(page: Path) -> list[str]:
    """The lines that the page promises."""
    return [line for fence in fences(page) if fence.mark == "expect" for line in fence.body.splitlines()]


def follow(page: Path, cwd: Path, *, ends: bool) -> str:
    """Do what a page says, and return what was printed.

    Files are written, commands run. A simulation has to print what the page expects; if it does not end by itself,
    Ctrl+C is pressed then.
    """
    printed = ""
    for fence in fences(page):
        if fence.title:
            (cwd / fence.title).write_text(fence.body, encoding="utf-8")
        if fence.mark != "run":
            continue
        for line in fence.body.splitlines():
            words = shlex.split(line)
            if words[0] == "cd":
                cwd = cwd / words[1]
            elif "simulate" in words:
                printed += _simulate(words, cwd, [] if ends else expected(page))
            else:
                done = subprocess.run(
                    words,
                    cwd=cwd,
                    env=_environment(),
                    check=True,
                    timeout=DEADLINE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                printed += done.stdout
    missing = set(expected(page)) - set(printed.splitlines())
    assert not missing, f"{missing} is missing in:\n{printed}"
    return printed


def _simulate(words: list[str], cwd: Path, until: list[str]) -> str:
    """Run to the end; or, if there are lines to wait for, until they came and then until Ctrl+C has ended it."""
    waited_for = set(until)
    seen: list[str] = []
    with subprocess.Popen(
        words, cwd=cwd, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        deadline = threading.Timer(DEADLINE, process.kill)
        deadline.start()
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line)
            if waited_for and not (waited_for := waited_for - {line.rstrip("\n")}):
                process.send_signal(signal.SIGINT)
        process.wait()
        deadline.cancel()
    printed = "".join(seen)
    assert process.returncode == 0, printed
    return printed


def _environment() -> dict[str, str]:
    """The programs of this Python come first, as in an activated environment; `python3` too."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
