"""What goes wrong in a job is told where it was called; nothing is left afterwards."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import emulated_jobs as own
import psutil
import pytest

from fission.core.pipes import PicklePipe
from fission.emulate import emulate
from fission.errors import JobFailed, NetworkError, RunError
from kits.waiting import wait_for

from .conftest import gone


def one_to_one(kind):
    return kind([PicklePipe(1)], [PicklePipe(2)])


def test_an_exception_in_run_has_the_users_traceback(make):
    emulator = make(one_to_one(own.FailingJob))
    assert emulator(2) == [0.5]
    with pytest.raises(
        JobFailed, match=r"FailingJob 1, round 2: ZeroDivisionError: division by zero"
    ) as failed:
        emulator(0)
    assert failed.value.round == 2
    assert "return 1 / value" in failed.value.traceback
    assert "emulated_jobs.py" in failed.value.traceback
    assert "fission/" not in failed.value.traceback
    assert failed.value.traceback in failed.value.__notes__
    wait_for(lambda: gone(emulator.pid), "the process ends")
    with pytest.raises(RunError, match=r"ended: JobFailed in an earlier call.*new one"):
        emulator(1)


def test_an_exception_in_a_sink(make):
    emulator = make(own.FailingJob([PicklePipe(1)]))
    with pytest.raises(JobFailed, match=r"ZeroDivisionError"):
        emulator(0)


def test_an_exception_in_setup(make):
    with pytest.raises(JobFailed, match=r"setup: OSError: no such device") as failed:
        make(one_to_one(own.BadSetupJob))
    assert "raise OSError" in failed.value.traceback


def test_an_exception_in_teardown_is_logged(make, caplog):
    emulator = make(one_to_one(own.BadTeardownJob))
    assert emulator(1) == [1]
    with caplog.at_level(logging.ERROR):
        emulator.kill()
    assert "cannot tidy up" in caplog.text


def test_a_wrong_tuple(make):
    with pytest.raises(JobFailed, match=r"tuple of 2.*one item per output: 1"):
        make(one_to_one(own.BehaviorJob))("tuple")


def test_a_value_that_its_pipe_cannot_carry(make):
    with pytest.raises(JobFailed, match=r"pipe 2"):
        make(one_to_one(own.BehaviorJob))("unpicklable")


def test_a_round_that_never_ends(make, capsys):
    emulator = make(one_to_one(own.BehaviorJob))
    assert emulator("x") == ["x"]
    with pytest.raises(
        RunError, match=r"BehaviorJob 1: run\(\) has not returned within 0.5 s.*larger timeout"
    ):
        emulator("hang", timeout=0.5)
    assert "hanging" in capsys.readouterr().out
    assert gone(emulator.pid)


def test_ctrl_c_in_a_round(make):
    emulator = make(one_to_one(own.BehaviorJob))
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        emulator("hang")
    timer.join()
    assert gone(emulator.pid)
    with pytest.raises(RunError, match="KeyboardInterrupt in an earlier call"):
        emulator("x")


def test_a_setup_that_never_ends(make):
    with pytest.raises(RunError, match=r"setup\(\) has not returned within 0.3 s"):
        make(one_to_one(own.EndlessSetupJob), timeout=0.3)


def test_programs_that_the_job_has_started_end_with_it(make):
    emulator = make(one_to_one(own.ProgramJob))
    (program,) = emulator(1)
    assert not gone(program)
    emulator.kill()
    wait_for(lambda: gone(program), "the program ends")


def test_a_job_that_does_not_want_to_end(make):
    emulator = make(one_to_one(own.StubbornJob))
    with pytest.raises(RunError, match=r"within 0.2 s"):
        emulator(1, timeout=0.2)
    assert gone(emulator.pid)


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("exit", "its process ended by itself with exit code 3"),
        ("abort", "its process was killed by SIGKILL"),
        ("sys.exit", "SystemExit: enough"),
    ],
)
def test_a_process_that_ends(make, what, how):
    emulator = make(one_to_one(own.BehaviorJob))
    with pytest.raises(RunError, match=how):
        emulator(what)


def test_a_process_that_was_killed_between_two_calls(make):
    emulator = make(one_to_one(own.BehaviorJob))
    assert emulator(1) == [1]
    os.kill(emulator.pid, signal.SIGKILL)
    wait_for(lambda: gone(emulator.pid), "the process ends")
    with pytest.raises(RunError, match=r"killed by SIGKILL"):
        emulator(2)


def test_output_of_any_size_and_stream(make, capsys):
    emulator = make(one_to_one(own.BehaviorJob))
    emulator("stderr")
    assert capsys.readouterr() == ("", "to stderr\n")
    emulator("flood")
    assert len(capsys.readouterr().out) == 1_000_001


def test_log_lines_arrive_in_the_callers_log(make, caplog):
    emulator = make(one_to_one(own.BehaviorJob))
    emulator("log")
    emulator("x")
    assert "mine: look out" in caplog.text


def test_a_job_that_cannot_be_pickled(make):
    job = one_to_one(own.AddJob)
    job.thing = threading.Lock()
    with pytest.raises(NetworkError, match=r"AddJob 1: the job cannot be pickled"):
        make(job)


def test_a_class_of_the_main_program_travels_by_value(make):
    kind = type("ConsoleJob", (own.AddJob,), {"__module__": "__main__"})
    assert make(one_to_one(kind))(1) == make(one_to_one(own.AddJob))(1)


def test_kill_ends_all(make):
    emulator = make(one_to_one(own.AddJob))
    emulator.kill()
    emulator.kill()
    assert gone(emulator.pid)
    with pytest.raises(RunError, match=r"it was killed"):
        emulator(1)


def test_a_with_statement_ends_it(make):
    with make(one_to_one(own.AddJob)) as emulator:
        assert emulator(1) == [1]
    assert gone(emulator.pid)


def test_an_emulator_that_nobody_holds_ends(root):
    emulator = emulate(one_to_one(own.AddJob))
    pid = emulator.pid
    del emulator
    wait_for(lambda: gone(pid), "the process ends")


# -- the caller ends -------------------------------------------------------------------------------------

CALLER = """
    import sys, time
    sys.path.insert(0, {tests!r})
    import emulated_jobs as own
    from fission.core.pipes import PicklePipe
    from fission.emulate import emulate
    kept = []
    for kind in (own.AddJob, own.StateJob):
        job = kind([PicklePipe(len(kept) * 2 + 1)], [PicklePipe(len(kept) * 2 + 2)])
        kept.append(emulate(job))
        kept[-1](1)
    print(*[one.pid for one in kept], flush=True)
    {end}
"""


def start_caller(root, end):
    text = textwrap.dedent(CALLER).format(tests=str(Path(__file__).parent), end=end)
    process = subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(root)},
    )
    for line in process.stdout:
        if line[0].isdigit():
            return process, [int(word) for word in line.split()]
    pytest.fail(process.communicate()[1])


@pytest.mark.parametrize("end", ["", "raise KeyboardInterrupt", "import os; os._exit(0)"])
def test_no_process_is_left_when_the_caller_ends(root, end):
    process, pids = start_caller(root, end)
    process.communicate(timeout=30)
    wait_for(lambda: all(map(gone, pids)), "the jobs end")


def test_no_process_is_left_when_the_caller_is_killed(root):
    process, pids = start_caller(root, "time.sleep(1000)")
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: all(map(gone, pids)), "the jobs end")


def test_no_process_is_left_when_the_caller_is_killed_in_a_round(root):
    end = "e = emulate(own.BehaviorJob([PicklePipe(9)], [PicklePipe(10)])); e('hang', timeout=1000)"
    process, _ = start_caller(root, end)
    assert any("hanging" in line for line in process.stdout)
    children = psutil.Process(process.pid).children()
    assert len(children) == 3
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: all(gone(child.pid) for child in children), "the jobs end")
