"""Codes: one guess each, five minutes, three of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.pairing.codes import SECONDS, TRIES, CodeBook, draw_code, read_code, spaced


@given(
    st.lists(
        st.tuples(st.sampled_from(["spend", "old", "renew", "wait"]), st.floats(0, SECONDS)), max_size=30
    )
)
def test_no_code_is_spent_twice_late_or_more_often_than_there_are_tries(
    steps: list[tuple[str, float]],
) -> None:
    drawn: list[str] = []

    def draw() -> str:
        drawn.append(str(len(drawn)))
        return drawn[-1]

    now, born = 1000.0, 1000.0
    book = CodeBook(now, draw)
    spent: set[int] = set()
    for action, seconds in steps:
        if action == "wait":
            now += seconds
        elif action == "renew":
            before = book.number
            if book.renew(now):
                assert book.number == before + 1
                born = now
            else:
                assert len(drawn) == TRIES
                assert not book.is_good(now)
        else:
            number = book.number - (action == "old")
            if book.spend(number, now):
                assert number not in spent
                assert number == book.number
                assert now - born < SECONDS
                spent.add(number)
            assert not book.is_good(now) or action == "old"
    assert len(drawn) <= TRIES
    assert len(spent) <= TRIES


def test_a_code_is_good_until_it_expires() -> None:
    book = CodeBook(0.0)
    assert book.is_good(SECONDS - 0.1)
    assert not book.is_good(SECONDS)
    assert not book.spend(book.number, SECONDS)


def test_a_code_is_read_as_it_is_shown() -> None:
    code = draw_code()
    assert read_code(spaced(code)) == read_code(f" {code[:4]}-{code[4:]} ") == read_code(code) == code


@pytest.mark.parametrize("text", ["", "1234", "123456789", "1234567a", "\u0661" * 8, "-1234567x", "12.45678"])
def test_other_texts_are_no_codes(text: str) -> None:
    assert read_code(text) is None
