"""The debug console: chosen jobs by their address, also after a failover, and the window of DEBUG_WINDOW."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
class Count(PythonJob):
    def run(self):
        number = 0
        while True:
            time.sleep(0.02)
            number += 1
            yield number

class Say(PythonJob):
    def run(self, value):
        print("number", value, flush=True)
"""
CONFIG = "JOBS = [Count(outputs=[PicklePipe(1)]), Say([PicklePipe(1)])]\n"
DEBUG = str(Path(sys.executable).with_name("fission_debug.py"))


def logged(project: Project, *options: str) -> list[dict[str, object]]:
    done = subprocess.run(
        project.command("logs", "--json", *options), capture_output=True, text=True, timeout=60, check=False
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def information(project: Project) -> list[list[str]]:
    """The lists of where the jobs are, a row for each job: id, name, node, address, port."""
    texts = [str(record["text"]) for record in logged(project)]
    return [re.split(r"  +", text) for text in texts if re.match(r"\d+  +(Count|Say) \d", text)]


def test_chosen_jobs_are_followed_over_a_failover(project: Project) -> None:
    project.write(JOBS, CONFIG)
    running = project.run("--embedded", "2", told=False)
    wait_for(lambda: len(information(project)) == 2, "the list of jobs")
    _, name, node, ip, port = information(project)[1]
    assert (name, ip) == ("Say 2", node)
    nothing = subprocess.run(
        [DEBUG, "--ip", ip, "--port", "1"], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert nothing.returncode == 1
    assert "no network of this machine has jobs at these addresses" in nothing.stderr
    assert f"{ip} {port} (net, job 2)" in nothing.stderr
    shown = project.root / "shown.txt"
    with shown.open("w") as file:
        debug = subprocess.Popen(
            [DEBUG, "--ip", ip, "--port", port], cwd=project.root, stdout=file, text=True
        )
    project.running.append(debug)
    wait_for(lambda: "number" in shown.read_text(), "the first line")
    assert subprocess.run(project.command("move", "2"), timeout=60, check=False).returncode == 0
    wait_for(lambda: information(project)[-1][2] not in (node, "", "-"), "the list after the job has moved")
    there = information(project)[-1][2]
    wait_for(lambda: f"Say 2 at {there} | number" in shown.read_text(), "a line from there")
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0
    assert debug.wait(30) == 0
    out = shown.read_text()
    said = [int(number) for number in re.findall(r"Say 2 at \S+ \| number (\d+)", out)]
    assert sorted(set(said)) == list(range(1, max(said) + 1)), "nothing is missing"
    assert {node, there} == set(re.findall(r"Say 2 at (\S+) \| number", out))
    assert "Count" not in out


@pytest.mark.parametrize(
    "words", [[], ["--ip", "127.0.0.2"], ["--port", "1"], ["--pipe", ".", "--port", "1"]]
)
def test_wrong_words(project: Project, words: list[str]) -> None:
    done = subprocess.run([DEBUG, *words], cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_window(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that writes down what is shown in it."""
    seen = tmp_path / "seen"
    terminal = tmp_path / "x-terminal-emulator"
    terminal.write_text(f'#!/bin/sh\nshift\n"$@" < /dev/null > {seen}\necho ended >> {seen}\n')
    terminal.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.delenv("TERMINAL", raising=False)
    project.write(JOBS, CONFIG + "DEBUG_WINDOW = True\n")
    process = project.start()
    wait_for(lambda: seen.exists() and "number 3" in seen.read_text(), "lines in the window")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    wait_for(lambda: "ended" in seen.read_text().splitlines(), "the end of the window")
    text = seen.read_text()
    assert "Network Information:" in text
    assert re.search(r"Say 2 +client +- +-", text)


def test_no_window(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FISSION_WINDOWS", "off")
    project.write(JOBS, CONFIG + "DEBUG_WINDOW = True\n")
    done = project.simulate("--for", "100ms")
    assert "In another terminal: fission logs net --follow --simulation\n" in done.stdout


def test_logs_of_embedded_nodes_are_collected_while_they_run(project: Project) -> None:
    project.write(JOBS, CONFIG)
    running = project.run("--embedded", "2", told=False)
    wait_for(lambda: len(information(project)) == 2, "the list of jobs")
    command = project.command("collect")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    files = {path.name: path.read_text() for path in (project.root / "net/collection").iterdir()}
    assert set(files) == {"fission-127-0-0-2.log", "fission-127-0-0-3.log"}
    assert all("joined with network net" in text for text in files.values())
    assert "job 1, incarnation 1" in "".join(files.values())
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0
