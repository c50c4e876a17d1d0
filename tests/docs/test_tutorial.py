"""The tutorial page works as it is written: its files are written, its commands run, its output is expected."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-network.md"
FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_until(command: list[str], cwd: Path, expected: list[str]) -> str:
    """Run a command that does not end by itself: wait for what the page promises, then press Ctrl+C."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True)
    seen: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:  # ends when the process does; the test's timeout is the deadline
            seen.append(line.rstrip("\n"))
            if all(text in seen for text in expected):
                break
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, "\n".join(seen) + rest
    return "\n".join(seen)


def test_tutorial_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    fences = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    expected = [line for language, info, body in fences if info == "expect" for line in body.splitlines()]
    assert expected
    cwd = tmp_path
    for language, info, body in fences:
        if language == "python" and info.startswith("title="):
            (cwd / info.removeprefix("title=").strip('"')).write_text(body, encoding="utf-8")
        if language != "sh" or not info.startswith("run"):
            continue
        for line in body.splitlines():
            words = shlex.split(line)
            if words[0] == "cd":
                cwd = cwd / words[1]
            elif "simulate" in words:
                words[0] = sys.executable
                run_until(words, cwd, expected)
            else:
                subprocess.run(words, cwd=cwd, check=True, timeout=60)
