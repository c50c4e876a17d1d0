"""Networks that a program simulates: blocks, states, events, errors, the end."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from api.networks import Count, Fail, Print, Sum, expected, ramp, sums
from fission import CSVSinkJob, Network, PicklePipe, simulate
from fission.api.networks import load
from fission.errors import NetworkError, PipeError, RunError, UserError
from kits.waiting import wait_for


def test_blocks_of_a_pipe_that_no_job_reads() -> None:
    with simulate(sums(500)) as handle:
        assert list(handle.pipe(2)) == expected(500)
        result = handle.wait()
    assert result.finished
    assert result.rounds["Sum 2"] == 500


def test_a_pipe_is_shared_with_the_job_that_reads_it() -> None:
    jobs = [*sums(300), CSVSinkJob("sums.csv", inputs=[PicklePipe(2)])]
    network = Network("shared", jobs)
    with simulate(network, pipes=[2]) as handle:
        assert list(handle.pipe(2)) == expected(300)
    rows = Path("sums.csv").read_text().split()
    assert rows == ["pipe_2", *map(str, expected(300))]
    assert network.jobs[1].outputs[0].id == 2  # the program's own jobs are as they were
    assert len(network.jobs) == 3


def test_such_a_pipe_must_be_asked_for_before_the_start() -> None:
    handle = simulate([*sums(10), Print(inputs=[PicklePipe(2)])], quiet=True)
    with handle, pytest.raises(NetworkError, match=r"Print 3 reads it.*pipes=\[2\]"):
        handle.pipe(2)
    early = simulate([*sums(10), Print(inputs=[PicklePipe(2)])], quiet=True)
    blocks = early.pipe(2)
    with early:
        assert list(blocks) == expected(10)


def test_a_stream_that_is_asked_for_twice_is_one() -> None:
    handle = simulate(sums(10))
    first = handle.pipe(2)
    assert handle.pipe(2, buffer=1) is first
    with handle:
        assert handle.pipe(2) is first
        assert list(first) == expected(10)


def test_blocks_that_were_discarded_cannot_be_asked_for() -> None:
    with simulate(sums(10**9)) as handle:
        with pytest.raises(TimeoutError):
            handle.wait(0.01)
        with pytest.raises(NetworkError, match=r"pipe 2: its blocks were discarded.*before wait"):
            handle.pipe(2)


def test_arrays() -> None:
    with simulate(ramp()) as handle:
        first, *_, last = handle.pipe(5, as_arrays=True)
    assert isinstance(first, np.ndarray)
    assert last.tolist() == [4, 5, 6, 7]


def test_the_asynchronous_form() -> None:
    async def main() -> list[int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        async with simulate(sums(200)) as handle:
            assert (await handle.status()).name == "network"
            before = ticks
            blocks = [block async for block in handle.pipe(2)]
            assert ticks > before  # the loop went on
            assert (await handle.wait()).finished
        ticking.cancel()
        return blocks

    assert asyncio.run(main()) == expected(200)


def test_wait_starts_and_discards_what_nobody_reads() -> None:
    assert simulate(sums(1000)).wait().rounds["Sum 2"] == 1000


def test_seconds_end_it() -> None:
    result = simulate(sums(10**9), seconds=0.2).wait()
    assert not result.finished


def test_the_end_of_the_block_ends_the_network() -> None:
    with simulate(sums(10**9)) as handle:
        assert handle.pipe(2).take(3) == [1, 3, 6]
        assert handle.running
    assert not handle.running
    with pytest.raises(RunError, match="has ended"):
        handle.status()


def test_an_exception_in_the_block_ends_the_network_and_is_passed_on() -> None:
    with pytest.raises(KeyError), simulate(sums(10**9)) as handle:
        raise KeyError
    assert not handle.running


def test_a_job_that_fails_ends_the_stream_with_its_error() -> None:
    jobs = [Count(10, outputs=[PicklePipe(1)]), Fail(4, inputs=[PicklePipe(1)], outputs=[PicklePipe(2)])]
    read: list[int] = []
    with (
        pytest.raises(RunError, match="job Fail 2 failed in round 4: ValueError: boom") as error,
        simulate(jobs) as handle,
    ):
        read.extend(handle.pipe(2))
    assert read == [1, 2, 3][: len(read)]
    assert "raise ValueError" in error.value.__notes__[0]


def test_a_failure_is_raised_at_the_end_of_the_block() -> None:
    jobs = [Count(10, outputs=[PicklePipe(1)]), Fail(4, inputs=[PicklePipe(1)])]
    with pytest.raises(RunError, match="boom"), simulate(jobs, quiet=True) as handle:
        wait_for(lambda: not handle.running, "it has failed")


def test_jobs_print_here(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Count(2, outputs=[PicklePipe(1)]), Print(inputs=[PicklePipe(1)])]
    with simulate(jobs) as handle:
        handle.wait()
        assert [event.text for event in handle.logs("Print 2") if event.kind == "output"] == [
            "got 1",
            "got 2",
        ]
        assert any("finished" in event.text for event in handle.events())
    assert capsys.readouterr().out == "Print 2 | got 1\nPrint 2 | got 2\n"
    base = [Count(2, outputs=[PicklePipe(1)]), Print(inputs=[PicklePipe(1)])]
    simulate(base, quiet=True).wait()
    assert capsys.readouterr().out == ""


def test_all_problems_are_reported_at_once() -> None:
    jobs = [Count(1, outputs=[PicklePipe(1)]), Sum(inputs=[PicklePipe(2)]), Print(inputs=[PicklePipe(3)])]
    with pytest.raises(NetworkError, match="2 errors") as error:
        simulate(jobs)
    assert all("has no source" in note for note in error.value.__notes__)
    with pytest.raises(NetworkError, match="there are no jobs"):
        simulate([])


def test_wrong_questions_have_answers() -> None:
    with simulate(sums(10**9)) as handle:
        with pytest.raises(NetworkError, match="no such pipe"):
            handle.pipe(99)
        with pytest.raises(NetworkError, match="Did you mean 'Sum 2'"):
            handle.move("Sun 2")
        with pytest.raises(RunError, match="a simulation has no nodes"):
            handle.move("Sum")
        with pytest.raises(UserError, match="wrong buffer"):
            handle.pipe(2, buffer=0)
        with pytest.raises(UserError, match="started already"):
            handle.start()
    with pytest.raises(RunError, match="was not started"):
        simulate(sums(1)).status()


def test_a_cell_that_is_run_again_may_change_its_pipes() -> None:
    class Other(PicklePipe):
        pass

    simulate([Count(1, outputs=[PicklePipe(1)])], quiet=True).wait()
    simulate([Count(1, outputs=[Other(1)])], quiet=True).wait()
    with pytest.raises(PipeError):
        [Count(1, outputs=[PicklePipe(1)]), Count(1, outputs=[Other(1)])]


def test_a_folder_keeps_the_files_of_the_jobs(tmp_path: Path) -> None:
    simulate(sums(3), folder=tmp_path / "kept").wait()
    assert (tmp_path / "kept" / "simulation" / "info.txt").read_text().startswith("1: Count 1")


def test_networks_of_files(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(
        '{"jobs": [{"class": "fission.core.jobs.SourceJob", "arguments": {"delay": 0}, "outputs": [1]}]}'
    )
    with simulate("net.json") as handle:
        assert handle.pipe(1).take(3) == [1, 2, 3]
    assert load("net.json").name == "net"
    Path("net.txt").touch()
    with pytest.raises(UserError, match="folder with a config"):
        simulate("net.txt")
