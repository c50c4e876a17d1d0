"""Every command ends with an exit code and at most one line about an error."""

import io
import os
import sys

import pytest

from fission.errors import ConfigError, RunError
from fission.management.cli.durations import parse_duration
from fission.management.console.exit_codes import exit_code_of, print_error


def raising(error: BaseException) -> int:
    def work() -> int:
        raise error

    return exit_code_of(work)


def test_codes_come_through() -> None:
    assert exit_code_of(lambda: 0) == 0
    assert exit_code_of(lambda: 7) == 7


def test_ctrl_c_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


def test_errors_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(ConfigError("it is wrong", where="config.py")) == 2
    assert raising(RunError("it broke")) == 1
    assert capsys.readouterr().err == "error: config.py: it is wrong\nerror: it broke\n"


def test_a_bug_of_ours_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(ValueError("odd")) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ValueError: odd (")
    assert "test_exit_codes.py:" in error
    assert hint == "This is a bug in fission; --debug shows the traceback."


def test_debug_shows_the_traceback_of_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ValueError("odd")

    assert exit_code_of(work, debug=True) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_that_has_gone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)

        def work() -> int:
            sys.stdout.write("much" * 100)
            return 0

        assert exit_code_of(work) == 1
        stream.write("more")
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)

        def work() -> int:
            stream.write("text")
            return 0

        assert exit_code_of(work) == 1
    assert capsys.readouterr().err == "error: No space left on device\n"


def test_errors_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    print_error("no")
    monkeypatch.setenv("NO_COLOR", "1")
    print_error("no")
    assert terminal.getvalue() == "\033[31merror: no\033[0m\nerror: no\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("10", 10),
        ("1.5", 1.5),
        (".5s", 0.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h30m", 5400),
        ("1m 30s", 90),
        ("1h30", 3630),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "s", "0", "0s", "-5s", "10x", "1d", "10ss", "1e3", "5 x", "nan"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(Exception, match="expected a time like 10s"):
        parse_duration(text)
