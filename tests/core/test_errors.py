import inspect
import pickle

import pytest

from fission import errors
from fission.errors import (
    FissionError,
    HeadError,
    HeadIndexError,
    JobFailed,
    LocalProtocolError,
    NetworkError,
    PipeError,
    RemoteProtocolError,
    RunError,
    UserError,
)

EVERY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, FissionError)]


def test_the_text_is_built_from_the_fields() -> None:
    error = PipeError("wrong length", where="pipe 5", expected="16 bytes", found="3 bytes", hint="Pad it")
    assert str(error) == "pipe 5: wrong length; expected 16 bytes, found 3 bytes. Pad it"


def test_empty_fields_are_left_out() -> None:
    assert str(FissionError("it broke")) == "it broke"
    assert str(FissionError("it broke", found="glass")) == "it broke; found glass"
    assert str(FissionError("it broke", where="here", hint="Mend it")) == "here: it broke. Mend it"


def test_the_text_is_one_line() -> None:
    assert str(FissionError("a\nb", found="c\n  d")) == "a b; found c d"


def test_all_are_exported_and_documented() -> None:
    assert {kind.__name__ for kind in EVERY} == set(errors.__all__)
    for kind in EVERY:
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", EVERY)
def test_exit_code_tells_whose_mistake_it_was(kind: type[FissionError]) -> None:
    assert kind.exit_code == (2 if issubclass(kind, UserError) else 1)
    assert not (issubclass(kind, UserError) and issubclass(kind, RunError))


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("cannot work", problems=["E1 a", "E2 b"], where="network x"),
        JobFailed("ValueError: no", job="Sum 3", round=7, traceback="Traceback\n  ..."),
        RemoteProtocolError("garbage", events=["hello", "data"], found="0xff"),
        HeadError("no", expected="1", found="2"),
    ],
)
def test_an_error_survives_the_way_to_another_process(error: FissionError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_a_network_error_has_its_problems() -> None:
    assert NetworkError("cannot work", problems=[1, "b"]).problems == ("1", "b")


def test_a_failed_job_says_where() -> None:
    assert str(JobFailed("ValueError: no", job="Sum 3", round=7)) == "job Sum 3, round 7: ValueError: no"
    assert str(JobFailed("OSError: no", job="Sum 3")) == "job Sum 3, setup: OSError: no"


def test_a_protocol_error_tells_its_story() -> None:
    assert str(LocalProtocolError("no", events=["hello", "end"])) == "no (before that: hello, end)"
    assert str(LocalProtocolError("no")) == "no"


def test_head_errors_are_what_python_users_expect() -> None:
    assert issubclass(HeadError, ValueError)
    assert issubclass(HeadIndexError, IndexError)
