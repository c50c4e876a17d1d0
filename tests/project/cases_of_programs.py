"""Jobs that are programs, and break a rule."""

import atexit
import shutil
import tempfile
from pathlib import Path

from fission.core.jobs import BaseJob, DynamicMARVELOJob, ExecutableJob
from fission.core.network import Problem
from fission.core.pipes import BytesPipe

from .cases import case, chain, problems, with_attributes

FOLDER = Path(tempfile.mkdtemp(prefix="fission-cases-"))
"""A project with a network "demo", whose folder "source" has programs of all kinds."""
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def make(name: str, content: bytes, mode: int = 0o755) -> None:
    path = FOLDER / "demo" / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


make("good", b"#!/bin/sh\nexit 0\n")
make("plain", b"#!/bin/sh\nexit 0\n", 0o644)
make("plain.py", b"print()\n", 0o644)
make("text", b"hello\n")
make("windows", b"#!/bin/sh\r\nexit 0\r\n")
make("lost", b"#!/no/such/shell\n")
make("foreign", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x16\x00" + bytes(64))  # of a mainframe


class Program(ExecutableJob):
    DEPENDENCIES = "source"


def found(**attributes: object) -> list[Problem]:
    return problems(with_program(with_attributes(Program, **attributes)()), folder=str(FOLDER / "demo"))


def with_program(program: BaseJob) -> list[BaseJob]:
    return chain(BytesPipe(1, 4), sink=program)


for value in ("", None, 5, b"good", "'open", "a\0b"):

    @case("E221")
    def _(value: object = value):
        return found(EXECUTABLE=value), "Program 2", "EXECUTABLE: expected a command"


@case("E222")
def _():
    return found(EXECUTABLE="god"), "Program 2", "there is no program 'god'"


@case("E222")
def _():
    return found(EXECUTABLE="bin/good -n 5", DEPENDENCIES=None), "Program 2", "no program 'bin/good'"


@case("E222")
def _():
    job = DynamicMARVELOJob("source", "/no/such/program")
    return problems(with_program(job), folder=str(FOLDER / "demo")), job.name, "there is no program"


@case("W222")
def _():
    return found(EXECUTABLE="no-such-program", DEPENDENCIES=None), "Program 2", "is not installed"


for name, reason in (
    ("plain", "no permission"),
    ("plain.py", "no permission"),
    ("text", "neither a program nor a script"),
    ("windows", "CR LF"),
    ("lost", "there is no /no/such/shell"),
):

    @case("E223")
    def _(name: str = name, reason: str = reason):
        return found(EXECUTABLE=name), "Program 2", reason


@case("W223")
def _():
    return found(EXECUTABLE="foreign"), "Program 2", "was built for machine 22 of ELF"


for setting, value in (
    ("PARAMETERS", "'open"),
    ("PARAMETERS", None),
    ("PARAMETERS", 5),
    ("PARAMETERS", ["a\0b"]),
    ("INPUT_FLAG", None),
    ("OUTPUT_FLAG", 1),
    ("START_TIMEOUT", 0),
    ("END_TIMEOUT", True),
):

    @case("E224")
    def _(setting: str = setting, value: object = value):
        return found(EXECUTABLE="good", **{setting: value}), "Program 2", f"{setting}: expected"
