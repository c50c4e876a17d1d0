"""A log file on a full disk: one message, no traceback, no exception."""

import logging
from pathlib import Path

import pytest

from fission.management.console.log_files import RETRY_SECONDS, DegradingFileHandler


def record(text: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, __file__, 1, text, None, None)
    made.created = at
    return made


def test_a_full_disk_is_reported_once(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = DegradingFileHandler("/dev/full")
    for number in range(1000):
        handler.handle(record("text", 100.0 + number / 10))
    handler.close()
    assert [one.getMessage() for one in caplog.records] == [
        "/dev/full: the log cannot be written: No space left on device. Records are dropped"
    ]
    assert capsys.readouterr() == ("", "")


def test_the_log_continues_when_the_disk_has_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "fission.log"
    path.symlink_to("/dev/full")
    handler = DegradingFileHandler(str(path))
    handler.handle(record("lost", 100.0))
    path.unlink()
    handler.handle(record("dropped", 101.0))
    handler.handle(record("kept", 101.0 + RETRY_SECONDS))
    handler.handle(record("next", 102.0 + RETRY_SECONDS))
    handler.close()
    assert path.read_text(encoding="utf-8") == "kept\nnext\n"
    assert len(caplog.records) == 1


def test_records_that_cannot_be_formatted_are_no_disk_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = DegradingFileHandler(str(tmp_path / "fission.log"))
    wrong = record("%d", 100.0)
    wrong.args = ("text",)
    handler.handle(wrong)
    handler.handle(record("good", 100.1))
    handler.close()
    assert (tmp_path / "fission.log").read_text(encoding="utf-8") == "good\n"


def test_a_line_that_was_cut_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    path = tmp_path / "fission.log"
    path.write_text("whole\ncu")
    handler = DegradingFileHandler(str(path))
    handler.handle(record("next", 100.0))
    handler.close()
    assert path.read_text(encoding="utf-8") == "whole\ncu\nnext\n"
