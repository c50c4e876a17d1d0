"""Rounds of a job in its own process."""

import os

import emulated_jobs as own
import numpy as np
import pytest

from fission.core.jobs import CSVSinkJob, ForwardingJob, SourceJob
from fission.core.network import Network, Settings
from fission.core.pipes import (
    ArrayPipe,
    BytesPipe,
    JSONPipe,
    OptionalPicklePipe,
    PicklePipe,
)
from fission.emulate import JobFinished
from fission.errors import UserError


def pipes(first, count, kind=PicklePipe):
    return [kind(first + number) for number in range(count)]


def test_a_call_is_a_round(make):
    emulator = make(own.AddJob(pipes(1, 2), pipes(3, 1)))
    assert emulator(1, 2) == [3]
    assert emulator(10, 20) == [30]
    assert emulator.round == 2


def test_one_value_per_output(make):
    emulator = make(own.DivideJob(pipes(1, 2), pipes(3, 2)))
    assert emulator(17, 5) == [3, 2]


def test_the_job_is_another_process_in_its_folder(make, root):
    emulator = make(own.EverythingJob(pipes(1, 1), pipes(2, 1)))
    (told,) = emulator("x")
    assert told["pid"] == emulator.pid != os.getpid()
    assert told["cwd"] == str(emulator.cwd) == str(root / ".emulate" / "1")
    assert told["values"] == ("x",)


def test_the_job_keeps_its_state(make, capsys):
    emulator = make(own.StateJob(pipes(1, 1), pipes(2, 1)))
    assert [emulator(n) for n in (1, 2, 3)] == [[1], [3], [6]]
    emulator.kill()
    assert (emulator.cwd / "teardown.txt").read_text() == "6"
    assert capsys.readouterr().out == "setting up\ntearing down at 6\n"


def test_what_it_prints_is_there_after_the_call(make, capsys):
    emulator = make(own.AddJob(pipes(1, 2), pipes(3, 1)))
    for number in range(20):
        emulator(number, 1)
        assert capsys.readouterr().out == f"adding {number} 1\n"


def test_a_list_for_a_pipe_with_a_block_count(make):
    emulator = make(own.ListSumJob([own.FivePipe(1)], pipes(2, 1)))
    assert emulator([1, 8, 27, 64, 125]) == [225]
    assert emulator((1, 1, 1, 1, 1)) == [5]


@pytest.mark.parametrize("value", [[1, 2], 5, "12345"])
def test_a_wrong_list_is_refused_and_harms_nothing(make, value):
    emulator = make(own.ListSumJob([own.FivePipe(1)], pipes(2, 1)))
    with pytest.raises(UserError, match=r"pipe 1.*list of 5"):
        emulator(value)
    assert emulator([1] * 5) == [5]


def test_a_wrong_number_of_values_is_refused_and_harms_nothing(make):
    emulator = make(own.AddJob(pipes(1, 2), pipes(3, 1)))
    with pytest.raises(UserError, match=r"one per input: 2, found 1"):
        emulator(1)
    assert emulator(1, 1) == [2]


def test_the_real_codec_is_used(make):
    emulator = make(ForwardingJob([JSONPipe(1), ArrayPipe(2)], [JSONPipe(3), ArrayPipe(4)]))
    text, array = emulator((1, 2), np.arange(6).reshape(2, 3))
    assert text == [1, 2]
    assert np.array_equal(array, [[0, 1, 2], [3, 4, 5]])


def test_large_blocks(make):
    emulator = make(
        ForwardingJob([PicklePipe(1), BytesPipe(2, 1 << 24)], [PicklePipe(3), BytesPipe(4, 1 << 24)])
    )
    data = os.urandom(1 << 24)
    assert emulator(data, data) == [data, data]


def test_a_value_that_the_pipe_cannot_carry_harms_nothing(make):
    emulator = make(ForwardingJob([BytesPipe(1, 4)], [BytesPipe(2, 4)]))
    with pytest.raises(Exception, match=r"pipe 1"):
        emulator(b"too long")
    assert emulator(b"four") == [b"four"]


# -- ends of a network -----------------------------------------------------------------------------------


def test_a_source_makes_one_round_per_call(make, capsys):
    emulator = make(own.GeneratorJob([], pipes(1, 1)))
    assert capsys.readouterr().out == ""
    for number in (1, 2, 3):
        assert emulator() == [number]
        assert capsys.readouterr().out == f"yielding {number}\n"
    with pytest.raises(JobFinished, match=r"finished after 3 rounds"):
        emulator()
    assert emulator.finished
    with pytest.raises(JobFinished):
        emulator()


def test_a_source_that_is_a_function(make):
    emulator = make(own.FunctionSourceJob([], pipes(1, 2)))
    assert [emulator() for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]


def test_a_predefined_source(make):
    emulator = make(SourceJob(1, 2, 0, outputs=pipes(1, 1)))
    assert [emulator() for _ in range(3)] == [[1], [3], [5]]


def test_a_sink_returns_nothing_when_its_round_is_done(make):
    emulator = make(own.SinkJob(pipes(1, 1)))
    assert emulator("a") == []
    assert (emulator.cwd / "got.txt").read_text() == "a\n"
    assert emulator("b") == []
    assert (emulator.cwd / "got.txt").read_text() == "a\nb\n"


def test_a_predefined_sink_writes_into_its_folder(make):
    emulator = make(CSVSinkJob("out.csv", pipes(1, 2)))
    emulator(1, 2)
    assert (emulator.cwd / "out.csv").read_text().splitlines() == ["pipe_1,pipe_2", "1,2"]


def test_a_job_without_pipes(make):
    emulator = make(own.NoneGeneratorJob())
    assert emulator() == []
    assert emulator() == []
    with pytest.raises(JobFinished, match=r"after 2 rounds"):
        emulator()


@pytest.mark.parametrize(
    ("inputs", "ends"), [(0, (True, False, False, 0, 1)), (1, (False, False, True, 1, 1))]
)
def test_the_job_does_not_see_the_emulator(make, inputs, ends):
    emulator = make(own.EverythingJob(pipes(1, inputs, OptionalPicklePipe), pipes(5, 1)))
    (told,) = emulator(*[1] * inputs)
    assert told["ends"] == ends
    assert len(told["values"]) == inputs


def test_a_sink_does_not_see_the_emulator(make, capsys):
    make(own.EverythingSinkJob(pipes(1, 1)))("x")
    assert capsys.readouterr().out == "(False, True, False, 1, 0) ('x',)\n"


def test_finish_gives_the_last_round(make):
    emulator = make(own.FinishJob(pipes(1, 1), pipes(2, 1)))
    assert emulator("first") == ["first"]
    assert not emulator.finished
    assert emulator("last") == ["last"]
    assert emulator.finished
    assert emulator.heads[0][2]
    with pytest.raises(JobFinished, match=r"after 2 rounds"):
        emulator("more")


def test_none_ends_the_job(make):
    emulator = make(own.FinishJob(pipes(1, 1), pipes(2, 1)))
    assert emulator("first") == ["first"]
    with pytest.raises(JobFinished, match=r"after 1 round$"):
        emulator("none")
    assert emulator.finished


def test_a_sink_can_finish(make):
    emulator = make(own.FinishJob(pipes(1, 1)))
    assert emulator("last") == []
    assert emulator.finished


# -- optional inputs -------------------------------------------------------------------------------------


def test_an_optional_input_uses_what_is_passed_in_the_same_call(make):
    emulator = make(own.EverythingJob([OptionalPicklePipe(1), PicklePipe(2)], pipes(3, 1)))
    calls = [(None, 1), ("a", 2), (None, 3), ("b", 4)]
    assert [emulator(*call)[0]["values"] for call in calls] == [(None, 1), ("a", 2), ("a", 3), ("b", 4)]


def test_an_optional_input_is_never_late(make):
    emulator = make(
        own.EverythingJob([PicklePipe(1), OptionalPicklePipe(2), OptionalPicklePipe(3)], pipes(4, 1))
    )
    for number in range(300):
        assert emulator(number, -number, "x" * number)[0]["values"] == (number, -number, "x" * number)


def test_a_large_optional_input_is_never_late(make):
    emulator = make(own.EverythingJob([PicklePipe(1), OptionalPicklePipe(2)], pipes(4, 1)))
    for number in range(5):
        data = bytes([number]) * 6_000_000
        assert emulator(number, data)[0]["values"] == (number, data)


def test_an_optional_input_that_is_not_stored(make):
    emulator = make(own.EverythingJob([own.OnceOptionalPipe(1), PicklePipe(2)], pipes(3, 1)))
    calls = [(None, 1), ("a", 2), (None, 3)]
    assert [emulator(*call)[0]["values"] for call in calls] == [("default", 1), ("a", 2), ("default", 3)]


def test_optional_inputs_only(make):
    emulator = make(own.EverythingJob(pipes(1, 2, OptionalPicklePipe), pipes(3, 1)))
    calls = [(None, None), ("a", "b"), (None, "c"), (None, None)]
    expected = [(None, None), ("a", "b"), ("a", "c"), ("a", "c")]
    assert [emulator(*call)[0]["values"] for call in calls] == expected


def test_an_optional_output(make):
    emulator = make(own.AddJob(pipes(1, 1), [OptionalPicklePipe(2), PicklePipe(3)]))
    assert [emulator(n) for n in range(50)] == [[n, n] for n in range(50)]


# -- heads -----------------------------------------------------------------------------------------------


def test_heads_in_and_out(make):
    emulator = make(own.HeadJob(pipes(1, 2), pipes(3, 1)))
    ((seen, head, _),) = emulator("a", "b", head=0b1000)
    assert seen == [0b0100_1000, 0b0100_1000]
    assert head == 0b0100_1000
    assert emulator.heads[0].value == 0b0100_0101
    ((seen, _, _),) = emulator("a", "b", head=[1, None])
    assert seen == [1, 0]
    assert emulator.heads[0].value == 0b101


def test_heads_of_every_block(make):
    emulator = make(own.HeadJob([own.FivePipe(1)], pipes(2, 1)))
    emulator([0] * 5)
    ((seen, head, _),) = emulator([0] * 5, head=[[1, 2, 4, 8, 16]])
    assert seen == [[1, 2, 4, 8, 16]]
    assert head == 31


def test_heads_pass_through_a_job_that_does_not_look_at_them(make):
    emulator = make(own.AddJob(pipes(1, 2), pipes(3, 2)))
    emulator(1, 1)
    emulator(1, 1, head=[0b1000_0001, 2])
    assert [head.value for head in emulator.heads] == [0b1000_0011] * 2


def test_a_reset_bit_begins_a_new_epoch(make):
    emulator = make(own.HeadJob([PicklePipe(1), own.FivePipe(2)], pipes(3, 1)))
    reset = 0b0100_0000
    for _ in range(2):
        ((seen, _, _),) = emulator(1, [1] * 5, head=reset)
        assert seen == [reset, [reset, 0, 0, 0, 0]]
        ((seen, _, _),) = emulator(1, [1] * 5)
        assert seen == [0, [0] * 5]


def test_heads_with_optional_inputs(make):
    emulator = make(own.HeadJob(pipes(1, 1, OptionalPicklePipe), pipes(3, 1)))
    ((seen, head, values),) = emulator(5, head=1)
    assert (seen, head, values) == ([0], 0, (5,))  # optional inputs have no heads, in a network neither
    assert emulator.heads[0].value == 0b0100_0101


def test_heads_of_a_source(make):
    emulator = make(own.HeadSourceJob([], pipes(1, 1)))
    assert [emulator(), emulator()] == [[0b0100_0000], [0]]
    assert emulator.heads[0].value == 0


def test_heads_of_a_sink(make, capsys):
    emulator = make(own.HeadSinkJob(pipes(1, 1)))
    emulator(1)
    emulator(1, head=3)
    assert capsys.readouterr().out == f"head {0b0100_0000}\nhead 3\n"
    assert emulator.heads == []


def test_heads_have_the_size_of_the_network(make, root):
    job = own.HeadJob(pipes(1, 1), pipes(2, 1))
    network = Network("net", (job,), (), Settings(head_size=2), str(root / "net"), edges=())
    emulator = make(job, network=network)
    emulator(1, head=1)
    assert emulator.heads[0].head_size == 2
    ((seen, _, _),) = emulator(1, head=1)
    assert seen == [1]


@pytest.mark.parametrize("head", ["x", [1], [1, 2, 3], [[1, 2], 1]])
def test_wrong_heads_are_refused_and_harm_nothing(make, head):
    emulator = make(own.AddJob(pipes(1, 2), pipes(3, 1)))
    with pytest.raises(UserError, match=r"head"):
        emulator(1, 1, head=head)
    assert emulator(1, 1) == [2]


def test_live_pipes(make):
    emulator = make(own.HeadJob(pipes(1, 2, own.LivePipe), pipes(3, 1, own.LivePipe)))
    for number in range(100):
        ((_, _, values),) = emulator(number, -number)
        assert values == (number, -number)
        assert not emulator.heads[0][0]


def test_pipe_ids_at_the_upper_end(make):
    emulator = make(own.SinkJob([PicklePipe(0xFFFFFFFF)]))
    assert emulator(1) == []
