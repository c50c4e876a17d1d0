"""Emulators of jobs that are programs: one call is one round of the real program."""

import sys
from pathlib import Path
from typing import Any

import pytest

from fission.core.head import Head
from fission.core.jobs import DynamicExecutableJob, DynamicMARVELOJob
from fission.core.pipes import BytesPipe, JSONPipe, OptionalBytesPipe
from fission.emulate import JobFinished
from fission.errors import JobFailed

from .conftest import Make

SUM = """
import sys
from getopt import getopt
given, rest = getopt(sys.argv[1:], "i:o:")
def opened(value, mode):
    return open(int(value) if value.isdigit() else value, mode, buffering=0)
ins = [opened(value, "rb") for flag, value in given if flag == "-i"]
outs = [opened(value, "wb") for flag, value in given if flag == "-o"]
"""


def script(root: Path, name: str, text: str) -> str:
    folder = root / "programs"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(SUM + text)
    return f"{sys.executable} {name}"


ADD = """
while data := [file.read(4) for file in ins]:
    if not all(data):
        break
    total = sum(int.from_bytes(one, "little") for one in data)
    print("sum", total)
    for out in outs:
        out.write(total.to_bytes(4, "little"))
"""


def number(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.mark.parametrize("kind", [DynamicExecutableJob, DynamicMARVELOJob])
def test_one_call_is_one_round(make: Make, root: Path, kind: Any, capfd: pytest.CaptureFixture[str]) -> None:
    command = script(root, "add4.py", ADD)
    pipes = {"inputs": [BytesPipe(1, 4), BytesPipe(2, 4)], "outputs": [BytesPipe(3, 4), BytesPipe(4, 4)]}
    add = make(kind("programs", command, **pipes))
    for n in range(1, 200):
        assert add(number(n), number(2)) == [number(n + 2)] * 2
    assert add.round == 199
    assert add.heads == [Head(0), Head(0)]
    assert (add.cwd / "add4.py").exists()
    add.kill()
    assert "sum 201" in capfd.readouterr().out
    assert not [path for path in add.cwd.iterdir() if path.name.startswith("pipe-")]


def test_a_reset_begins_a_new_epoch(make: Make, root: Path) -> None:
    command = script(root, "add4.py", ADD)
    job = DynamicMARVELOJob(
        "programs", command, inputs=[BytesPipe(1, 4)], outputs=[BytesPipe(2, 4), BytesPipe(3, 4)]
    )
    add = make(job)
    for n in range(6):
        assert add(number(n), head=0x40 if n == 3 else 0) == [number(n)] * 2
        assert add.heads == [Head(0x40 if n in (0, 3) else 0)] * 2


def test_heads_and_block_counts(make: Make, root: Path) -> None:
    command = script(
        root,
        "heads4.py",
        """
while data := ins[0].read(15):
    outs[0].write(bytes([data[0] | data[5] | data[10] | 1]) + data[1:5])
""",
    )
    job = DynamicMARVELOJob(
        "programs", command, head=True, inputs=[BytesPipe(1, 4, 3)], outputs=[BytesPipe(2, 4)]
    )
    first = make(job)
    assert first([number(7), number(8), number(9)], head=[[2, 4, 8]]) == [number(7)]
    assert first.heads == [Head(0x40 | 15)]  # a first block has the reset bit
    assert first([number(1)] * 3) == [number(1)]
    assert first.heads == [Head(1)]


def test_a_source_a_sink_and_an_optional_input(make: Make, root: Path) -> None:
    count = make(
        DynamicExecutableJob(
            "programs",
            script(root, "count.py", 'for n in range(1, 4): outs[0].write(f"{n}\\n".encode())'),
            outputs=[JSONPipe(1)],
        )
    )
    assert [count() for _ in range(3)] == [[1], [2], [3]]
    with pytest.raises(JobFinished):
        count()
    sink = make(
        DynamicExecutableJob(
            "programs",
            script(root, "sink.py", 'out = open("out", "wb")\nwhile data := ins[0].read(4): out.write(data)'),
            inputs=[BytesPipe(2, 4)],
        )
    )
    assert [sink(number(n)) for n in range(3)] == [[], [], []]
    sink.kill()
    both = make(
        DynamicMARVELOJob(
            "programs",
            script(
                root,
                "both.py",
                "import select\nadded = 0\n"
                "while data := ins[0].read(4):\n"
                "    if select.select([ins[1]], [], [], 0)[0]:\n"
                "        added = int.from_bytes(ins[1].read(4), 'little')\n"
                "    outs[0].write((added + int.from_bytes(data, 'little')).to_bytes(4, 'little'))\n",
            ),
            inputs=[BytesPipe(3, 4), OptionalBytesPipe(4, 4)],
            outputs=[BytesPipe(5, 4)],
        )
    )
    assert both(number(1), None) == [number(1)]
    assert both(number(2), number(10)) == [number(12)]
    assert both(number(3), None) == [number(13)]


def test_a_program_that_fails_is_a_job_that_fails(make: Make, root: Path) -> None:
    command = script(root, "fail.py", 'ins[0].read(4); print("no", file=sys.stderr); sys.exit(7)')
    job = DynamicExecutableJob("programs", command, inputs=[BytesPipe(1, 4)], outputs=[BytesPipe(2, 4)])
    with pytest.raises(JobFailed, match=r"round 1: program .*: it has failed with exit code 7\. It said: no"):
        make(job)(number(1))


def test_a_program_that_does_not_exist_is_told_at_the_start(make: Make, root: Path) -> None:
    (root / "programs").mkdir()
    with pytest.raises(JobFailed, match="program missing: there is no such program"):
        make(DynamicExecutableJob("programs", "missing", outputs=[BytesPipe(2, 4)]))
