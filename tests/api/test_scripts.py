"""Programs as users write them: their own classes, Ctrl+C, exceptions, and what is left afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kits.waiting import DEADLINE, wait_for

HEAD = """
from fission import Network, PicklePipe, PythonJob, run, simulate
from beside import offset

class Count(PythonJob):
    def run(self):
        number = 0
        while True:
            number += 1
            yield number

class Shift(PythonJob):
    def run(self, number):
        return number + offset()

jobs = [Count(outputs=[PicklePipe(1)]), Shift(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])]
"""

WAYS = {"simulate": "simulate(jobs)", "run": "run(jobs, embedded=1)"}


def start(folder: Path, body: str) -> "subprocess.Popen[str]":
    (folder / "beside.py").write_text("def offset():\n    return 100\n")
    (folder / "program.py").write_text(HEAD + body)
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_script_uses_its_own_classes_and_modules(way: str, tmp_path: Path) -> None:
    program = start(
        tmp_path, f"with {WAYS[way]} as handle:\n    print(handle.pipe(2).take(3))\nprint('after')\n"
    )
    out, err = program.communicate(timeout=DEADLINE)
    assert (program.returncode, out, err) == (0, "[101, 102, 103]\nafter\n", "")


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_everything(way: str, tmp_path: Path) -> None:
    body = (
        f"with {WAYS[way]} as handle:\n    for block in handle.pipe(2):\n        print(block, flush=True)\n"
    )
    program = start(tmp_path, body)
    assert program.stdout is not None
    assert program.stdout.readline() == "101\n"
    children = psutil.Process(program.pid).children(recursive=True)
    assert children
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does
    _, err = program.communicate(timeout=DEADLINE)
    assert program.returncode == -signal.SIGINT
    assert err.strip().endswith("KeyboardInterrupt")
    wait_for(lambda: not any(one.is_running() for one in children), "all processes have ended")


@pytest.mark.parametrize("way", WAYS)
def test_a_program_that_forgets_the_end_or_is_killed_leaves_nothing(way: str, tmp_path: Path) -> None:
    body = f"handle = {WAYS[way]}.start()\nprint(handle.pipe(2).take(1), flush=True)\ninput()\n"
    for end in ("kill", "exit"):  # the second one removes the folder that the first one has left
        program = start(
            tmp_path, body.replace("input()", "" if end == "exit" else "__import__('signal').pause()")
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "[101]\n"
        children = psutil.Process(program.pid).children(recursive=True)
        if end == "kill":
            program.kill()
        _, err = program.communicate(timeout=DEADLINE)
        assert (err, program.returncode) == ("", 0 if end == "exit" else -signal.SIGKILL)
        wait_for(lambda: not any(one.is_running() for one in children), f"all processes have ended ({end})")  # noqa: B023


def test_an_error_is_one_object_with_the_whole_story(tmp_path: Path) -> None:
    program = start(tmp_path, "simulate([Shift(outputs=[PicklePipe(7)])])\n")
    _, err = program.communicate(timeout=DEADLINE)
    assert program.returncode == 1
    assert "fission.errors.NetworkError: network network: the network cannot run: 1 error" in err
    assert "E202 Shift 1: run takes 1 value (number), and the job has no inputs" in err


def test_the_names_of_the_package_are_light() -> None:
    code = "import fission, sys; print(*sorted({'numpy', 'asyncio', 'rich', 'fission.api'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert done.stdout == "\n"
    code = "import fission; [getattr(fission, name) for name in fission.__all__]; fission.nothing"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.stderr.strip().endswith("AttributeError: module 'fission' has no attribute 'nothing'")
