"""Output to a file whose disk is full."""

import os
import resource
from pathlib import Path

import pytest

from fission.management.console import output_file
from fission.management.console.output_file import OutputFile


def test_output_is_dropped_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    handle = os.open("/dev/full", os.O_WRONLY)
    try:
        file = OutputFile(handle)
        assert [file.write(b"text\n") for _ in range(100)] == [5] * 100
    finally:
        os.close(handle)
    assert caplog.messages == ["output cannot be written: No space left on device. It is dropped meanwhile"]


def test_a_line_that_was_cut_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(output_file, "RETRY_SECONDS", 0.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "out.txt").open("wb", buffering=0) as out:
        file = OutputFile(out.fileno())
        assert file.write(b"first\n") == 6
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            assert file.write(b"second\n") == 4
            assert file.write(b"nd\n") == 3  # dropped
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert file.write(b"third\n") == 6
    assert (tmp_path / "out.txt").read_text() == "first\nseco\nthird\n"
    assert len(caplog.messages) == 1


def test_a_reader_that_is_gone_is_no_full_disk() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(BrokenPipeError):
            OutputFile(writer).write(b"text\n")
    finally:
        os.close(writer)
