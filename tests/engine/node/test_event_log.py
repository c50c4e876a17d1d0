"""What a node remembers in writing."""

import logging
from pathlib import Path
from typing import Any

import pytest

from fission.cluster import JobExited, JobFailed, JobFinished, JobListening, JobNotStarted, JobProgress
from fission.engine.node.event_log import read_tail, write_down
from fission.engine.protocol.interfaces import JobSaid
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log, Status


def test_the_last_whole_lines_are_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "fission.log"
    path.write_bytes(b"one\ntwo\nthr\xffee\n")
    assert read_tail(path) == "one\ntwo\nthr\\xffee\n"
    assert read_tail(path, 11) == "thr\\xffee\n"


def test_the_file_before_goes_on_in_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "fission.log"
    (tmp_path / "fission.log.1").write_text("one\ntwo\n")
    path.write_text("three\n")
    assert read_tail(path) == "one\ntwo\nthree\n"
    assert read_tail(path, 11) == "two\nthree\n"
    assert read_tail(path, 6) == ""


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (JobNotStarted("n", 1, 2, "disk full"), logging.WARNING, "was not started: disk full"),
        (JobListening("n", 1, 2, "tcp:x:1"), logging.INFO, "listens at tcp:x:1"),
        (JobFinished("n", 1, 2, 7), logging.INFO, "has finished after 7 rounds"),
        (JobFailed("n", 1, 2, 7, "run", "E: x", "Trace"), logging.WARNING, "failed in round 7: E: x\nTrace"),
        (JobFailed("n", 1, 2, 0, "setup", "E: x"), logging.WARNING, "failed in setup: E: x"),
        (JobExited("n", 1, 2, -9), logging.INFO, "has ended with code -9"),
        (JobSaid("n", 1, 2, OutputLine("stdout", "hi")), logging.DEBUG, "stdout: hi"),
        (JobSaid("n", 1, 2, Log(30, "slow")), logging.WARNING, "slow"),
    ],
)
def test_what_happened_to_a_job_is_a_line(
    event: Any, level: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    write_down("net", event)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (level, f"net: job 1, incarnation 2, {text}")


def test_what_happens_all_the_time_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    write_down("net", JobProgress("n", 1, 2, 3))
    write_down("net", JobSaid("n", 1, 2, Status(1, 0.0, {})))
    assert not caplog.records
