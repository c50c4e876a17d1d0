"""What client and nodes say to each other survives the way, and nothing else gets through."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.cluster import (
    IncarnationStatus,
    InventoryEntry,
    JobExited,
    JobFailed,
    JobFinished,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobStored,
    NodeDraining,
    NodeReport,
)
from fission.core.nodes import NodeInfo
from fission.engine.protocol import link_messages
from fission.engine.protocol.interfaces import JobOrder, JobSaid
from fission.engine.protocol.link_messages import WireError
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import (
    BeginEpoch,
    Checkpoint,
    JobSpec,
    Log,
    ReceiverGone,
    Route,
    SenderGone,
    Status,
    Stored,
)

TEXT = st.text(max_size=20)
WHOLE = st.integers(-(2**60), 2**60)
NUMBER = st.floats(allow_nan=False)
COUNTERS = st.dictionaries(WHOLE, st.dictionaries(TEXT, NUMBER, max_size=3), max_size=3)
INFO = st.builds(NodeInfo, NUMBER, WHOLE, WHOLE, NUMBER, NUMBER)
WHAT = st.one_of(
    st.builds(OutputLine, TEXT, TEXT), st.builds(Log, WHOLE, TEXT), st.builds(Status, WHOLE, NUMBER, COUNTERS)
)
EVENT = st.one_of(
    st.builds(JobNotStarted, TEXT, WHOLE, WHOLE, TEXT),
    st.builds(JobListening, TEXT, WHOLE, WHOLE, TEXT),
    st.builds(JobReady, TEXT, WHOLE, WHOLE, WHOLE),
    st.builds(JobStored, TEXT, WHOLE, WHOLE),
    st.builds(JobProgress, TEXT, WHOLE, WHOLE, WHOLE),
    st.builds(JobFinished, TEXT, WHOLE, WHOLE, WHOLE),
    st.builds(JobFailed, TEXT, WHOLE, WHOLE, WHOLE, TEXT, TEXT, TEXT, WHOLE),
    st.builds(JobExited, TEXT, WHOLE, WHOLE, WHOLE, TEXT),
    st.builds(NodeReport, TEXT, INFO, WHOLE, st.dictionaries(TEXT, NUMBER, max_size=3)),
    st.builds(NodeDraining, TEXT),
    st.builds(JobSaid, TEXT, WHOLE, WHOLE, WHAT),
)
MESSAGE = st.one_of(
    st.builds(Route, WHOLE, TEXT),
    st.builds(ReceiverGone, WHOLE),
    st.builds(SenderGone, WHOLE),
    st.builds(BeginEpoch, WHOLE),
    st.builds(Stored, WHOLE, WHOLE),
)
RESIDENT = st.builds(
    InventoryEntry,
    WHOLE,
    WHOLE,
    TEXT,
    st.sampled_from(IncarnationStatus),
    st.booleans(),
    address=TEXT,
    round=WHOLE,
)
SPEC = st.builds(
    JobSpec,
    sys_path=st.lists(TEXT, max_size=3).map(tuple),
    needed_blocks=st.dictionaries(WHOLE, WHOLE, max_size=3),
    queue_limits=st.dictionaries(WHOLE, WHOLE, max_size=3),
    job=st.binary(max_size=50),
    checkpoints=st.lists(st.builds(Checkpoint), max_size=2).map(tuple),
)
ORDER = st.builds(JobOrder, network=TEXT, root=TEXT, spec=SPEC, code=TEXT, files=TEXT)


def assert_plain(data: Any) -> None:
    """What may travel: also after it has been packed by something that knows no tuples and only texts as keys."""
    if isinstance(data, dict):
        assert all(type(key) is str for key in data)
        for value in data.values():
            assert_plain(value)
    elif isinstance(data, list):
        for value in data:
            assert_plain(value)
    else:
        assert data is None or type(data) in (bool, int, float, str, bytes), data


@given(EVENT)
def test_events_come_back_as_they_were(event: Any) -> None:
    data = link_messages.event_to_plain(event)
    assert_plain(data)
    assert link_messages.event_from_plain(data) == event


@given(MESSAGE)
def test_messages_come_back_as_they_were(message: Any) -> None:
    data = link_messages.message_to_plain(message)
    assert_plain(data)
    assert link_messages.message_from_plain(data) == message


@given(RESIDENT)
def test_residents_come_back_as_they_were(resident: InventoryEntry) -> None:
    data = link_messages.resident_to_plain(resident)
    assert_plain(data)
    assert link_messages.resident_from_plain(data) == resident
    assert isinstance(link_messages.resident_from_plain(data).status, IncarnationStatus)


@given(ORDER)
def test_orders_come_back_as_they_were(order: JobOrder) -> None:
    data = link_messages.order_to_plain(order)
    assert_plain(data)
    assert link_messages.order_from_plain(data) == order


@given(INFO)
def test_loads_come_back_as_they_were(info: NodeInfo) -> None:
    assert link_messages.info_from_plain(link_messages.info_to_plain(info)) == info


JUNK = st.recursive(
    st.none() | st.booleans() | WHOLE | NUMBER | TEXT | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*string.ascii_letters, "node", "job"]), inner, max_size=4)
        | st.lists(st.sampled_from(["JobReady", "JobSaid", "Tick"]) | inner, min_size=2, max_size=2)
    ),
)


@given(JUNK)
def test_junk_is_one_clear_error(data: Any) -> None:
    for read in (
        link_messages.event_from_plain,
        link_messages.message_from_plain,
        link_messages.order_from_plain,
        link_messages.info_from_plain,
    ):
        with pytest.raises(WireError, match=r"^this is no .*; expected .*, found .*") as error:
            read(data)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            ["JobReady", {"node": "n", "job": "1", "incarnation": 1, "round": 0}],
            "JobReady.job; expected a whole number, found '1'",
        ),
        (
            ["JobReady", {"node": "n", "job": True, "incarnation": 1, "round": 0}],
            "JobReady.job; expected a whole number, found True",
        ),
        (
            ["JobReady", {"node": "n", "job": 1}],
            "expected node, job, incarnation, round, found ['job', 'node']",
        ),
        (["StopRequested", {"force": True}], "found 'StopRequested'"),
        (
            ["JobSaid", {"node": "n", "job": 1, "incarnation": 1, "what": ["Exited", {"code": 1}]}],
            "JobSaid.what",
        ),
    ],
)
def test_the_place_of_the_mistake_is_named(data: Any, line: str) -> None:
    with pytest.raises(WireError) as error:
        link_messages.event_from_plain(data)
    assert line in str(error.value)


@pytest.mark.parametrize("key", ["x", "1.5", "", "--1", "9" * 40, "٣"])
def test_keys_that_are_no_numbers_are_refused(key: str) -> None:
    what = [
        "Status",
        {
            "rounds": 1,
            "cpu_seconds": 0.5,
            "pipes": {key: {}},
            "epoch": 1,
            "gave_nothing": False,
            "silent": {},
            "computing": None,
            "place": "",
        },
    ]
    with pytest.raises(WireError, match="whole numbers as keys"):
        link_messages.event_from_plain(["JobSaid", {"node": "n", "job": 1, "incarnation": 1, "what": what}])
