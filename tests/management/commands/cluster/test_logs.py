"""`logs`: which lines, of which run, and reading while files are renamed."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fission.core import base
from fission.core.jobs import SourceJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.management.cli.log_options import parse_since
from fission.management.console.log_reader import LogReader
from fission.management.console.records import Record, RecordFile
from fission.management.console.run_log import SimulationLog, log_file, record_file
from fission.runtime.launch.supervisor import OutputLine
from kits.command_line import Run


def write(path: Path, *records: Record, size: int = 1 << 20) -> None:
    file = RecordFile(path, by_run=True, size=size, count=100)
    for record in records:
        file.put(record)
    file.close()


@pytest.fixture
def log(root: Path) -> Path:
    path = root / "demo/.fission/logs/log.jsonl"
    write(path, Record(20, "long ago", run="r1", time=1000.0))
    write(
        path,
        Record(20, "nodes", name="run", run="r2", time=2000.0),
        Record(20, "hello", "10.0.0.2", 1, "SourceJob 1", 1, "stdout", "r2", 2001.0),
        Record(40, "oh", "10.0.0.3", 2, "SinkJob 2", 3, "log", "r2", 2002.0),
    )
    return path


def texts(out: str) -> list[str]:
    return [json.loads(line)["text"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["nodes", "hello", "oh"]),
        (["--all"], ["long ago", "nodes", "hello", "oh"]),
        (["--job", "1"], ["hello"]),
        (["--job", "1", "-j", "SinkJob 2"], ["hello", "oh"]),
        (["--level", "warning"], ["oh"]),
        (["--since", "10m"], []),
        (["--since", "1970-01-01"], ["nodes", "hello", "oh"]),
    ],
)
def test_which_lines(log: Path, run: Run, options: list[str], expected: list[str]) -> None:
    result = run("manage.py", "demo", "logs", "--json", *options)
    assert (result.code, result.err) == (0, "")
    assert texts(result.out) == expected


def test_lines_for_people(log: Path, run: Run) -> None:
    lines = run("fission", "logs", "demo").out.splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "run | INFO: nodes",
        "SourceJob 1 at 10.0.0.2 | hello",
        "SinkJob 2 at 10.0.0.3 | ERROR: oh",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--job", "SourceJob"], "the log has no job 'SourceJob'. Did you mean 'SourceJob 1'?"),
        (["--job", "7"], "The jobs are 1 (SourceJob 1) and 2 (SinkJob 2)"),
        (["--simulation"], "network demo: the network has no log. Start the network: fission simulate demo"),
    ],
)
def test_mistakes(log: Path, run: Run, options: list[str], text: str) -> None:
    result = run("fission", "logs", "demo", *options)
    assert result.code == 2
    assert text in result.last


def test_times() -> None:
    now = dt.datetime(2026, 11, 27, 12, 0)

    def read(text: str) -> dt.datetime:
        return dt.datetime.fromtimestamp(parse_since(text, lambda: now))

    assert read("10m") == dt.datetime(2026, 11, 27, 11, 50)
    assert read("11:30") == dt.datetime(2026, 11, 27, 11, 30)
    assert read("12:30:10") == dt.datetime(2026, 11, 26, 12, 30, 10)
    assert read("2026-11-20 08:00") == dt.datetime(2026, 11, 20, 8, 0)
    with pytest.raises(typer.BadParameter, match="expected a time like 10m, 14:30"):
        read("soon")


def test_reading_while_files_are_renamed(tmp_path: Path) -> None:
    """Many small files, of which several are finished between two looks; nothing is missed, nothing comes twice."""
    path = tmp_path / "log.jsonl"
    seen: list[str] = []
    with LogReader(path) as reader:
        assert list(reader.more()) == []
        for start in range(0, 300, 30):
            write(path, *(Record(20, str(n), run="r") for n in range(start, start + 30)), size=700)
            seen += [record.text for record in reader.more()]
    assert seen == [str(n) for n in range(300)]


def test_a_line_that_is_not_complete_yet(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    line = Record(20, "whole").encoded()
    path.write_text(line[:20])
    with LogReader(path) as reader:
        assert list(reader.more()) == []
        with path.open("a") as file:
            file.write(line[20:] + "\n")
        assert [record.text for record in reader.more()] == ["whole"]


def test_following_until_ctrl_c(log: Path, root: Path) -> None:
    fission = str(Path(sys.executable).with_name("fission"))
    with subprocess.Popen(
        [fission, "logs", "demo", "--follow", "--json", "--project", str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            assert texts("".join(process.stdout.readline() for _ in range(3))) == ["nodes", "hello", "oh"]
            write(log, Record(20, "new", run="r3"))
            assert texts(process.stdout.readline()) == ["new"]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


class Silent:
    """A console that shows nothing."""

    def line(self, job: int, line: OutputLine) -> None: ...

    def log(self, job: int | None, level: int, text: str) -> None: ...


def test_what_jobs_print_is_kept_whatever_the_level(tmp_path: Path) -> None:
    network, _ = Network.build("demo", [SourceJob(outputs=[PicklePipe(1)])])
    with log_file(tmp_path / "people.log", "WARNING") as people, record_file(tmp_path) as records:
        log = SimulationLog(network, Silent(), people, records, run="r")  # type: ignore[arg-type] # as far as it is used
        log.line(1, OutputLine("stdout", "printed"))
        log.log(1, 20, "nothing special")
        log.log(None, 30, "a warning")
    with LogReader(tmp_path / "log.jsonl") as reader:
        assert [record.text for record in reader.more()] == ["printed", "a warning"]
    assert "printed" not in (tmp_path / "people.log").read_text()
    base.reset()
