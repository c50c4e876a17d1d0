"""Tests wait for conditions and use public names; both lists of exceptions may only become shorter."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "tests", ROOT / "benchmarks" / "tests")

FOR_EVER = 60
"""Seconds from which a sleep stands for something that never ends."""

SLEEPS = {
    "tests/kits/waiting.py": (2, "the step of every wait"),
    "tests/kits/link_node.py": (1, "a node that stands still for as long as a test asks"),
    "tests/lab/shell.py": (1, "the step of the waits of the lab, which benchmarks use without pytest"),
    "tests/lab/stream.py": (1, "the pace of a source"),
    "tests/chaoskit/jobs_of_users.py": (2, "the pace of jobs"),
    "tests/integration/restarts/restarted_jobs.py": (9, "the pace of jobs"),
    "tests/integration/restarts/test_restarts.py": (2, "a kill at a random moment of a stream"),
    "tests/integration/wires/wired_jobs.py": (4, "the pace of jobs"),
    "tests/integration/wires/test_strangers.py": (1, "the pace of a slow stranger"),
    "tests/engine/link/test_faults.py": (1, "a client that stands still"),
    "tests/integration/test_memory.py": (2, "the interval of measurements"),
}
"""Calls of `sleep` by file, and the reason."""

PRIVATE = {
    "tests/channel/test_mailbox.py": 1,
    "tests/channel/test_windows.py": 1,
    "tests/core/test_jobs.py": 2,
    "tests/core/test_library_jobs.py": 1,
    "tests/engine/checkpoints/test_faults.py": 5,
    "tests/engine/client/test_executor.py": 8,
    "tests/engine/client/test_presenter.py": 2,
    "tests/engine/link/test_faults.py": 2,
    "tests/engine/link/test_strangers.py": 3,
    "tests/engine/node/test_service.py": 5,
    "tests/examples/test_separation_jobs.py": 1,
    "tests/management/cli/test_command_lines.py": 3,
    "tests/runtime/checkpointing/test_checkpoints.py": 8,
    "tests/runtime/checkpointing/test_state.py": 6,
    "tests/runtime/job/test_reporting.py": 1,
    "tests/runtime/launch/test_prefork.py": 4,
    "tests/security/test_channel.py": 6,
    "tests/properties/cluster_mutants.py": 5,  # a mutant replaces a part of the coordinator
}
"""Uses of private members of the product by file. A new test uses public names."""

PUBLIC = {"_replace", "_asdict", "_fields", "_repr_html_", "_repr_svg_"}
"""Members that other libraries define as public, although their names begin with an underscore."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def sleeps(tree: ast.Module) -> int:
    """The number of calls of `sleep` that take time, in code (not in the text of a user's job)."""
    return sum(
        getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep" and not _harmless(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )


def _harmless(call: ast.Call) -> bool:
    """Whether the call yields to the event loop only, or stands for something that never ends."""
    seconds = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else 1
    return isinstance(seconds, int | float) and (seconds == 0 or seconds >= FOR_EVER)


def private_uses(tree: ast.Module) -> int:
    """The number of private members of other objects that are read or written."""
    return sum(
        node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in PUBLIC
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "os", "sys"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    )


def found(count: object) -> dict[str, int]:
    assert callable(count)
    return Counter({file: number for file, tree in sources() if (number := count(tree))})


def test_nothing_else_sleeps() -> None:
    allowed = {file: number for file, (number, _reason) in SLEEPS.items()}
    more = {file: number for file, number in found(sleeps).items() if number > allowed.get(file, 0)}
    assert not more, f"use kits.waiting, or list the reason in SLEEPS: {more}"


def test_nothing_else_uses_private_members() -> None:
    more = {file: number for file, number in found(private_uses).items() if number > PRIVATE.get(file, 0)}
    assert not more, f"use public names: {more}"


@pytest.mark.parametrize("file", [*SLEEPS, *PRIVATE])
def test_the_lists_name_files_that_exist(file: str) -> None:
    assert (ROOT / file).is_file()


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("import time\ntime.sleep(0.1)", 1),
        ("from time import sleep\nsleep(pause)", 1),
        ("await asyncio.sleep(0.2)", 1),
        ("await asyncio.sleep(0)", 0),
        ("await asyncio.sleep(3600)", 0),
        ("JOB = 'time.sleep(1)'", 0),
    ],
)
def test_sleeps_are_recognized(code: str, number: int) -> None:
    assert sleeps(ast.parse(code)) == number


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("one._two", 1),
        ("one.two._three = 4", 1),
        ("self._two", 0),
        ("one.__class__", 0),
        ("one._replace()", 0),
    ],
)
def test_private_uses_are_recognized(code: str, number: int) -> None:
    assert private_uses(ast.parse(code)) == number
