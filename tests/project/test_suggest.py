"""Guesses and lists in messages."""

from fission.project.suggest import counted, did_you_mean, listed


def test_a_close_name_is_guessed() -> None:
    assert did_you_mean("simulat", ["check", "simulate"]) == "Did you mean 'simulate'?"
    assert did_you_mean("PULSE_INTERVALL", {"PULSE_INTERVAL", "USER"}) == "Did you mean 'PULSE_INTERVAL'?"
    assert did_you_mean("Simulate", ["simulate"]) == "Did you mean 'simulate'?"
    assert did_you_mean("sim", ["check", "simulate"]) == "Did you mean 'simulate'?"


def test_a_far_name_is_not() -> None:
    assert did_you_mean("walrus", ["check", "simulate"]) == ""
    assert did_you_mean("x", []) == ""


def test_lists() -> None:
    assert listed([]) == "none"
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(iter("abc")) == "a, b and c"


def test_numbers() -> None:
    assert [counted(number, "job") for number in (0, 1, 2)] == ["no jobs", "1 job", "2 jobs"]
