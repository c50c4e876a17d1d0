"""Messages between supervisor and job process survive any cut of the byte stream."""

import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.errors import RunError
from fission.runtime.messages import (
    FROM_JOB_LIMIT,
    Checkpoint,
    Failed,
    Finished,
    JobSpec,
    Listening,
    Log,
    Phase,
    Ready,
    Route,
    Start,
    Status,
    encode,
    from_job,
    to_job,
)
from fission.serialization import msgpack_codec
from fission.serialization.limits import MESSAGE_LIMIT, TEXT_LIMIT

TEXT = st.text(st.characters(codec=None), max_size=20)
WHOLE = st.integers(0, 2**60)
MESSAGES = [
    Ready(),
    Log(20, "text\nwith lines"),
    Status(5, 0.5, {1: {"sent": 2.0}}),
    Checkpoint(1, 2, "p", "d"),
]
FROM_JOB = st.one_of(
    st.builds(Listening, TEXT),
    st.builds(Ready, WHOLE),
    st.builds(Status, WHOLE, st.floats(allow_nan=False), st.just({3: {"sent": 1.0}}), WHOLE),
    st.builds(Log, st.integers(0, 1000), TEXT),
    st.builds(Checkpoint, WHOLE, WHOLE, TEXT, TEXT, WHOLE, st.tuples(WHOLE, WHOLE)),
    st.builds(Finished, WHOLE),
    st.builds(Failed, WHOLE, st.sampled_from(Phase), TEXT, TEXT, st.booleans()),
)


@given(st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_gives_the_same_messages(cuts: list[int]) -> None:
    data = b"".join(map(encode, MESSAGES))
    reader = from_job()
    found = []
    for size in [*cuts, len(data)]:
        found += list(reader.feed(data[:size]))
        data = data[size:]
    assert found == MESSAGES


@given(FROM_JOB)
def test_every_message_of_a_job_comes_back(message: object) -> None:
    assert list(from_job().feed(encode(message))) == [message]  # type: ignore[arg-type]


def test_the_spec_comes_back_with_its_pickle_untouched() -> None:
    spec = JobSpec(
        "r", 1, "Job", 2, "/f", ("/a", "/b"), "unix:/x", 1, "INFO", {1: 2}, {3: 0}, b"\x80not a pickle",
        senders={4: 5}, checkpoints=(Checkpoint(1, 7, "p", "d"),),
    )  # fmt: skip
    assert list(to_job().feed(encode(Start(spec)) + encode(Route(7, "unix:/y")))) == [
        Start(spec),
        Route(7, "unix:/y"),
    ]


class Harmful:
    """Would set a mark when unpickled."""

    seen = False

    def __reduce__(self) -> object:
        return setattr, (Harmful, "seen", True)


def test_a_pickle_is_refused_and_not_opened() -> None:
    body = pickle.dumps(Harmful())
    with pytest.raises(RunError, match="not plain data"):
        list(from_job().feed(struct.pack("<Q", len(body)) + body))
    assert not Harmful.seen


@pytest.mark.parametrize(
    "body",
    [
        ["Start", {}],
        ["Finished", {"rounds": "7"}],
        ["Failed", {"round": 1}],
        {"rounds": 1},
        ["Exited", {"code": 0}],
    ],
)
def test_other_plain_data_is_refused(body: object) -> None:
    data = msgpack_codec.encode(body)
    with pytest.raises(RunError, match="control message"):
        list(from_job().feed(struct.pack("<Q", len(data)) + data))


def test_a_phase_that_does_not_exist_is_refused() -> None:
    fields = {"round": 1, "where": "lunch", "message": "", "traceback": "", "user": True}
    data = msgpack_codec.encode(["Failed", fields])
    with pytest.raises(RunError, match=r"Failed\.where"):
        list(from_job().feed(struct.pack("<Q", len(data)) + data))


@pytest.mark.parametrize("size", [FROM_JOB_LIMIT + 1, 2**64 - 1])
def test_a_frame_that_is_too_large_is_refused_before_it_is_read(size: int) -> None:
    with pytest.raises(RunError, match="too large"):
        list(from_job().feed(struct.pack("<Q", size)))


def test_the_texts_of_user_code_are_cut_and_the_cut_is_named() -> None:
    text = "head" + "\N{SLICE OF PIZZA}" * 20_000_000 + "tail"
    failed = Failed(1, Phase.RUN, text, text, user=True)
    for message in (Log(20, text), failed):
        assert len(encode(message)) < FROM_JOB_LIMIT
    for cut, limit in (
        (Log(20, text).text, TEXT_LIMIT),
        (failed.traceback, TEXT_LIMIT),
        (failed.message, MESSAGE_LIMIT),
    ):
        assert len(cut) <= limit
        assert cut.startswith("head")
        assert cut.endswith("tail")
        assert "characters cut" in cut


def test_a_level_that_is_no_level_is_brought_into_range() -> None:
    assert [Log(level, "").level for level in (-5, 10**30)] == [0, 1000]
