"""Blocks of no bytes and of very many go through two nodes and TLS as they are."""

import hashlib
import os
import signal

import pytest

from .conftest import Project

JOBS = """
    import hashlib

    def block(number, size):
        return bytes([number]) * (size if number % 2 else 0)

    class Big(PythonJob):
        DEFAULT_NODE = "10.77.0.11"

        def run(self):
            for number in range(1, 5):
                yield block(number, {size})

    class Through(PythonJob):
        DEFAULT_NODE = "10.77.0.12"

        def run(self, block):
            return block

    class Sink(CSVSinkJob):
        def run(self, block):
            super().run(f"{{len(block)}} {{hashlib.sha256(block).hexdigest()}}")
"""
CONFIG = """
JOBS = [Big(outputs=[PicklePipe(1)]), Through([PicklePipe(1)], [PicklePipe(2)]), Sink("out.csv", [PicklePipe(2)])]
NODES = [BaseNode("10.77.0.11"), BaseNode("10.77.0.12")]
"""


BIG = pytest.param(256 << 20, marks=[pytest.mark.long, pytest.mark.timeout(300)])


@pytest.mark.parametrize("size", [1 << 20, BIG])
def test_blocks_of_all_sizes_arrive(project: Project, size: int) -> None:
    project.write(JOBS.format(size=size), CONFIG)
    process = project.run("--embedded", "2", "--until-finished")
    try:
        told, _ = process.communicate(timeout=90 if size < 256 << 20 else 260)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
            process.communicate(timeout=20)
    assert process.returncode == 0, told
    rows = (project.root / "net" / "local" / "3" / "out.csv").read_text().split("\n")[1:-1]
    blocks = [bytes([number]) * (size if number % 2 else 0) for number in range(1, 5)]
    assert [row.strip('"') for row in rows] == [
        f"{len(block)} {hashlib.sha256(block).hexdigest()}" for block in blocks
    ]
