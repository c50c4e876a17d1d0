"""Records on disk: written in order, within bounds, run by run; a disk that refuses stops nobody."""

import logging
from pathlib import Path

import pytest

from fission.management.console.records import Record, RecordFile, files_of
from kits.waiting import wait_for


def texts(path: Path) -> list[str]:
    """All that is kept, the oldest first."""
    lines = [line for file in reversed(files_of(path)) for line in file.read_text().splitlines()]
    return [record.text for record in map(Record.decoded, lines) if record is not None]


def write(path: Path, *records: Record, **how: int) -> None:
    file = RecordFile(path, by_run=True, **how)
    for record in records:
        file.put(record)
    file.close()


def test_a_record_is_the_same_again() -> None:
    record = Record(30, "a\nb \u2603", "10.0.0.2", 3, "ClientHello 3", 2, "stderr", "r1", 1700000000.25)
    assert Record.decoded(record.encoded()) == record
    assert Record.decoded(Record(25, "x", time=1.0).encoded()) == Record(25, "x", time=1.0)
    assert '"time": "2023-11-14T22:13:20.250Z"' in record.encoded()


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"time": 1}', "null", '"x"'])
def test_what_is_no_record(line: str) -> None:
    assert Record.decoded(line) is None


def test_files_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.jsonl"
    write(path, *(Record(20, str(n), run="r") for n in range(1000)), size=5000, count=3)
    files = files_of(path)
    assert len(files) == 3
    assert all(file.stat().st_size <= 5000 for file in files)
    kept = texts(path)
    assert kept == [str(n) for n in range(1000 - len(kept), 1000)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_run_has_its_files(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write(path, Record(20, "one", run="r1"))
    write(path, Record(20, "two", run="r1"))
    write(path, Record(20, "three", run="r2"))
    assert len(files_of(path)) == 2
    assert texts(path) == ["one", "two", "three"]
    assert "three" in path.read_text()


def test_a_disk_that_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "file" / "log.jsonl", Record(20, "one"), Record(20, "two"))
    assert len(caplog.messages) == 1
    assert "the log cannot be written: File exists" in caplog.text


def test_nothing_is_made_without_a_record(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "log.jsonl")
    assert not (tmp_path / "logs").exists()


def test_a_record_that_was_cut_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write(path, Record(20, "one", run="r"), Record(20, "two", run="r"))
    path.write_bytes(path.read_bytes()[:-20])  # as a full disk leaves it
    write(path, Record(20, "three", run="r"))
    assert texts(path) == ["one", "three"]


def test_a_disk_that_is_full_again_and_again_is_tried_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    file = RecordFile(path)
    file.put(Record(20, "lost"))
    wait_for(lambda: caplog.messages, "the failure is logged")
    path.unlink()
    file.put(Record(20, "dropped"))
    file.close()
    assert not path.exists()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(
        "log.jsonl: the log cannot be written: No space left on device. Records are dropped"
    )
