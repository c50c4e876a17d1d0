"""Programs in the source folder of a project under test."""

import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from .conftest import COUNT, Project

PREAMBLE = """\
import getopt, os, sys, time, signal, struct, json, pickle
given, rest = getopt.getopt(sys.argv[1:], "i:o:")
def opened(value, mode):
    return open(int(value) if value.isdigit() else value, mode, buffering=0)
inputs = [value for flag, value in given if flag == "-i"]
outputs = [value for flag, value in given if flag == "-o"]
def exactly(file, size):
    data = b""
    while len(data) < size:
        part = file.read(size - len(data))
        if not part:
            return b""
        data += part
    return data
def open_all():
    return [opened(i, "rb") for i in inputs], [opened(o, "wb") for o in outputs]
"""
"""What the Python programs of these tests begin with."""

JOBS = (
    COUNT
    + """
class Program(ExecutableJob):
    DEPENDENCIES = "source"
    EXECUTABLE = "python3"

class Inheriting(MARVELOJob):
    DEPENDENCIES = "source"
    EXECUTABLE = "python3"

def program(script, *parameters, kind=Program, **others):
    return type(script.replace(".py", ""), (kind,), {
        "PARAMETERS": [script, *parameters], "__reduce__": lambda self: (revive, (vars(self), script, parameters, kind, others)),
        **others,
    })

def revive(state, script, parameters, kind, others):
    job = object.__new__(program(script, *parameters, kind=kind, **others))
    vars(job).update(state)
    return job
"""
)

PIPES = """
class IntPipe(BasePipe):
    BLOCK_SIZE = 4
    def pack(self, obj):
        return obj.to_bytes(4, "little", signed=True)
    def unpack(self, data):
        return int.from_bytes(data, "little", signed=True)

class FivePipe(IntPipe):
    BLOCK_COUNT = 5
"""


def write(project: Project, config: str, *, jobs: str = "", pipes: str = "", **programs: str) -> Project:
    """Make a network of the usual jobs and pipes, and the Python programs that are given by name."""
    project.write(JOBS + textwrap.dedent(jobs), config, PIPES + textwrap.dedent(pipes))
    for name, text in programs.items():
        install(project, f"{name}.py", PREAMBLE + textwrap.dedent(text))
    return project


def install(project: Project, name: str, text: str, *, executable: bool = False) -> Path:
    """Put a file into the folder with the programs."""
    path = project.root / project.name / "source" / name
    path.write_text(text)
    if executable:
        path.chmod(0o755)
    return path


def compiled(project: Project, name: str, source: str) -> None:
    """Compile a C program into the folder with the programs."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    text = install(project, f"{name}.c", source)
    subprocess.run(
        [compiler, "-O2", "-Wall", "-o", str(text.with_suffix("")), str(text)], check=True, timeout=60
    )
    text.unlink()


def lines(project: Project, job: int, file: str = "out.txt") -> list[str]:
    return project.text(job, file).splitlines()
