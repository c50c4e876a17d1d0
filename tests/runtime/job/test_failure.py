"""What a person reads when a job has failed."""

import pytest

from fission.errors import OutputError
from fission.runtime.job.failure import describe_failure


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_user_code_shows_its_own_frames() -> None:
    failed = describe_failure(raised(ZeroDivisionError("division by zero")), "run", 3)
    assert failed.user
    assert failed.message == "ZeroDivisionError: division by zero"
    assert failed.round == 3
    assert "test_failure.py" in failed.traceback
    assert "fission/runtime" not in failed.traceback


def test_our_own_error_is_told_in_one_line() -> None:
    error = OutputError("run returned a tuple of 3", where="job X 1", expected="one item per output: 1")
    failed = describe_failure(error, "run", 1)
    assert failed.message == "job X 1: run returned a tuple of 3; expected one item per output: 1"
    assert failed.traceback == ""


def test_syntax_errors_keep_their_place() -> None:
    try:
        compile("def f(:\n", "jobs.py", "exec")
    except SyntaxError as error:
        failed = describe_failure(error, "loading", 1)
    assert "SyntaxError" in failed.message
    assert "jobs.py" in failed.traceback
