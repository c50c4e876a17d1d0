"""`simulate` with real processes: what networks compute, and how they end."""

import ast
import os
import re
import signal

import pytest

from kits.waiting import wait_for

from .conftest import COUNT, Project, processes_of


def test_tutorial_sums_the_first_five(project: Project) -> None:
    project.write(
        jobs="""
        class Source(PythonJob):
            def run(self):
                value = 1
                while True:
                    print(f"{self.id} -> {value}")
                    yield value
                    time.sleep(0.01)
                    value += 1

        class Join(PythonJob):
            def run(self, in_1, in_2, in_3):
                return in_1 * in_2 * in_3

        class Reduce(PythonJob):
            def run(self, L):
                print(f"{self.id} -> Sum over {L} is {sum(L)}")
                self.finish()
        """,
        pipes="""
        class ReducePipe(PicklePipe):
            BLOCK_COUNT = 5
        """,
        config="""
        JOBS = [
            Source(outputs=[PicklePipe(101)]), Source(outputs=[PicklePipe(102)]), Source(outputs=[PicklePipe(103)]),
            Join(inputs=[PicklePipe(101), PicklePipe(102), PicklePipe(103)], outputs=[ReducePipe(105)]),
            Reduce(inputs=[ReducePipe(105)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "Reduce 5 | 5 -> Sum over [1, 8, 27, 64, 125] is 225" in done.stdout
    assert "1: Source" in (project.simulation / "info.txt").read_text()
    assert "Sum over [1, 8, 27" in (project.simulation / "fission.log").read_text()


def test_a_stream_ends_with_its_generator(project: Project) -> None:
    project.write(
        COUNT,
        config="""
        JOBS = [
            Count(outputs=[PicklePipe(1)]),
            ForwardingJob(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Write(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert project.text(3, "out.txt").split() == [str(i) for i in range(1, 11)]


def test_nothing_is_lost_or_doubled_at_full_speed(project: Project) -> None:
    project.write(
        COUNT
        + """
class Check(PythonJob):
    def setup(self, *args, **kwargs):
        self.expected = 0
    def run(self, value):
        self.expected += 1
        assert value == self.expected, (value, self.expected)
    def teardown(self):
        print("seen", self.expected)
""",
        config="""
        Count.LAST = 100_000
        JOBS = [
            Count(outputs=[PicklePipe(1)]),
            ForwardingJob(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Check(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    project.root.joinpath("net/jobs/jobs.py").write_text(
        project.root.joinpath("net/jobs/jobs.py").read_text().replace("LAST = 10", "LAST = 100_000")
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "seen 100000" in done.stdout


def test_none_ends_a_job_and_finish_sends_its_last_block(project: Project) -> None:
    project.write(
        COUNT
        + """
class UpToFour(PythonJob):
    def run(self, value):
        return value if value < 5 else None

class Three(PythonJob):
    n = 0
    def run(self):
        self.n += 1
        if self.n == 3:
            self.finish()
        return self.n
""",
        config="""
        JOBS = [
            Count(outputs=[PicklePipe(1)]),
            UpToFour(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Write(inputs=[PicklePipe(2)]),
            Three(outputs=[PicklePipe(3)]),
            Write(inputs=[PicklePipe(3)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert project.text(3, "out.txt").split() == ["1", "2", "3", "4"]
    assert project.text(5, "out.txt").split() == ["1", "2", "3"]


def test_a_source_ends_when_nobody_wants_more(project: Project) -> None:
    project.write(
        COUNT
        + """
class Endless(PythonJob):
    n = 0
    def run(self):
        self.n += 1
        return self.n

class Pair(PythonJob):
    def run(self, a, b):
        return (a, b), a + b
""",
        config="""
        JOBS = [
            Count(outputs=[PicklePipe(1)]),
            Endless(outputs=[PicklePipe(2)]),
            Pair(inputs=[PicklePipe(1), PicklePipe(2)], outputs=[PicklePipe(3), PicklePipe(4)]),
            Write(inputs=[PicklePipe(3), PicklePipe(4)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert project.text(4, "out.txt").splitlines() == [f"({i}, {i}) {2 * i}" for i in range(1, 11)]


def test_heads_travel_with_blocks(project: Project) -> None:
    project.write(
        """
        class Marking(PythonJob):
            HEAD = True
            def run(self):
                for value in range(1, 7):
                    if value % 3 == 0:
                        self.head[3] = 1
                    yield value

        class Plain(PythonJob):
            def run(self, value):
                return value

        class Choosing(PythonJob):
            HEAD = True
            def run(self, value):
                if value == 2:
                    self.out_heads[0] = self.head | 0x01
                return value, value

        class Show(PythonJob):
            HEAD = True
            def run(self, a, b):
                x, y = self.in_heads
                print(a, b, int(x[1]), int(x[3]), int(x[7]), int(y[7]), int(self.head[7]))
        """,
        config="""
        JOBS = [
            Marking(outputs=[PicklePipe(1)]),
            Plain(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Choosing(inputs=[PicklePipe(2)], outputs=[PicklePipe(3), PicklePipe(4)]),
            Show(inputs=[PicklePipe(3), PicklePipe(4)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    shown = [
        line.split("| ")[1] for line in done.stdout.splitlines() if line.startswith("Show 4") and "|" in line
    ]
    assert shown[:6] == [
        "1 1 1 0 0 0 0",
        "2 2 0 0 1 0 1",
        "3 3 0 1 0 0 0",
        "4 4 0 0 0 0 0",
        "5 5 0 0 0 0 0",
        "6 6 0 1 0 0 0",
    ]


def test_an_optional_pipe_closes_a_loop(project: Project) -> None:
    project.write(
        COUNT
        + """
class Accumulate(PythonJob):
    def run(self, value, feedback):
        return (value, feedback), value

class Delay(PythonJob):
    def run(self, value):
        return value
""",
        config="""
        Slow = SourceJob(start=1, step=1, delay=0.02, outputs=[PicklePipe(1)])
        JOBS = [
            Slow,
            Accumulate(inputs=[PicklePipe(1), OptionalPicklePipe(9)], outputs=[PicklePipe(2), PicklePipe(3)]),
            Delay(inputs=[PicklePipe(3)], outputs=[OptionalPicklePipe(9)]),
            Write(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    done = project.simulate("--for", "1s")
    assert done.returncode == 0, done.stderr
    pairs = [ast.literal_eval(line) for line in project.text(4, "out.txt").splitlines()]
    assert pairs[0] == (1, None)
    came_back = [feedback for _, feedback in pairs if feedback is not None]
    assert came_back == list(range(1, len(came_back) + 1))
    assert all(feedback is None or feedback < value for value, feedback in pairs)
    assert came_back


def test_arrays_and_large_blocks(project: Project) -> None:
    project.write(
        """
        import numpy as np

        class Arrays(PythonJob):
            def run(self):
                for n in (1, 500, 131_072, 8_000_000):
                    yield np.full(n, float(n)), np.arange(n, dtype="int16")

        class Scale(PythonJob):
            def run(self, a, b):
                a *= 2
                return a, {"b": b, "n": len(b)}

        class Check(PythonJob):
            def run(self, a, b):
                n = b["n"]
                assert a.shape == (n,) and (a == 2.0 * n).all()
                assert b["b"].dtype == np.int16 and b["b"][-1] == np.arange(n, dtype="int16")[-1]
                print("good", n)
        """,
        config="""
        JOBS = [
            Arrays(outputs=[ArrayPipe(1), PicklePipe(2)]),
            Scale(inputs=[ArrayPipe(1), PicklePipe(2)], outputs=[ArrayPipe(3, dtype="f8"), PicklePipe(4)]),
            Check(inputs=[ArrayPipe(3, dtype="f8"), PicklePipe(4)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("good") == 4


def test_backpressure_reaches_the_source(project: Project) -> None:
    """A sink that never takes its second block: the source stops after what its windows hold."""
    project.write(
        """
        class Flood(PythonJob):
            def run(self):
                for n in range(1_000_000):
                    print(n)
                    yield bytes(100_000)

        class Stuck(PythonJob):
            def run(self, block):
                time.sleep(3600)
        """,
        config="""
        JOBS = [
            Flood(outputs=[PicklePipe(1)]),
            ForwardingJob(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Stuck(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    done = project.simulate("--for", "4s")
    assert done.returncode == 0, done.stderr
    last = [int(line.split("| ")[1]) for line in done.stdout.splitlines() if re.match(r"Flood 1 +\|", line)][
        -1
    ]
    assert last < 400, "the source must not run ahead of its window of 16 MiB"


def test_a_live_pipe_drops_and_marks(project: Project) -> None:
    project.write(
        """
        class Flood(PythonJob):
            def run(self):
                for n in range(1, 20_001):
                    yield bytes(1000)

        class Slow(PythonJob):
            HEAD = True
            seen = dummies = 0
            def run(self, value):
                time.sleep(0.0001)
                self.seen += 1
                self.dummies += bool(self.head[0])
            def teardown(self):
                print("seen", self.seen, "dummies", self.dummies)
        """,
        pipes="""
        class LivePipe(PicklePipe):
            DELIVERY = "live"
        """,
        config="""
        JOBS = [Flood(outputs=[LivePipe(1)]), Slow(inputs=[LivePipe(1)])]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    found = re.search(r"seen (\d+) dummies (\d+)", done.stdout)
    assert found is not None
    seen, dummies = map(int, found.groups())
    assert seen == 20_000, "every block that was dropped has a dummy in its place"
    assert 0 < dummies < seen


FAILURES = {
    "raises": ("run", "return 1 // 0", ["job Bad 2 failed in round 1", "ZeroDivisionError", "return 1 // 0"]),
    "tuple": ("run", "return (1, 2, 3)", ["job Bad 2", "tuple of 3", "one item per output: 1"]),
    "pickle": ("run", "return (x for x in ())", ["job Bad 2", "pipe 2"]),
    "setup": (
        "setup",
        "raise FileNotFoundError('no such recording: talk.wav')",
        ["Bad 2", "setup", "talk.wav"],
    ),
    "exit": ("run", "os._exit(7)", ["job Bad 2", "exit code 7"]),
    "killed": ("run", "return os.kill(os.getpid(), 9)", ["job Bad 2", "SIGKILL"]),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_job_ends_the_simulation(project: Project, case: str) -> None:
    method, statement, expected = FAILURES[case]
    argument = "*args, **kwargs" if method == "setup" else "value"
    project.write(
        COUNT
        + f"""
class Bad(PythonJob):
    def run(self, value):
        return value
    def {method}(self, {argument}):
        {statement}
""",
        config="""
        JOBS = [
            SourceJob(delay=0.01, outputs=[PicklePipe(1)]),
            Bad(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
            Write(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    done = project.simulate()
    assert done.returncode == 1
    for text in expected:
        assert text in done.stderr
    assert "fission/runtime" not in done.stderr


def test_ctrl_c_ends_cleanly(project: Project) -> None:
    project.write(COUNT, config="JOBS = [SourceJob(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]")
    process = project.start()
    wait_for(lambda: len(processes_of(project.root)) == 2, "two job processes")
    wait_for((project.simulation / "2" / "out.txt").exists, "the sink is running")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Ctrl+C" in out
    assert not processes_of(project.root)


def test_sigint_at_a_job_ends_all(project: Project) -> None:
    project.write(COUNT, config="JOBS = [SourceJob(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]")
    process = project.start()
    wait_for((project.simulation / "2" / "out.txt").exists, "the sink is running")
    os.kill(processes_of(project.root)[0].pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not processes_of(project.root)


def test_jobs_end_when_simulate_is_killed(project: Project) -> None:
    project.write(
        COUNT
        + """
class Deaf(PythonJob):
    def run(self, value):
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass
""",
        config="""
        JOBS = [
            SourceJob(outputs=[PicklePipe(1), PicklePipe(2)]),
            Write(inputs=[PicklePipe(1)]),
            Deaf(inputs=[PicklePipe(2)]),
        ]
        """,
    )
    process = project.start()
    wait_for((project.simulation / "2" / "out.txt").exists, "the sink is running")
    process.kill()
    process.communicate()
    wait_for(lambda: not processes_of(project.root), "the jobs notice that simulate has gone")


def test_a_job_finds_its_dependencies_in_its_folder(project: Project) -> None:
    project.write(
        """
        class Reader(PythonJob):
            DEPENDENCIES = "source"
            def run(self):
                print(open("data.txt").read().strip())
                self.finish()
        class Sink(PythonJob):
            def run(self, value):
                pass
        """,
        config="JOBS = [Reader(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]",
    )
    (project.root / "net" / "source" / "data.txt").write_text("forty-two\n")
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "Reader 1 | forty-two" in done.stdout


def test_output_of_all_kinds_is_shown(project: Project) -> None:
    project.write(
        """
        class Talk(PythonJob):
            def run(self):
                print("umlaut: \\u00fc")
                sys.stderr.write("to stderr\\n")
                sys.stdout.buffer.write(b"\\xff bytes\\n")
                print("x" * 200_000)
                print("no newline", end="", flush=True)
                os.system("echo from a child")
                self.finish()
        class Sink(PythonJob):
            def run(self, value):
                pass
        """,
        config="JOBS = [Talk(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]",
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    for text in ("umlaut: \u00fc", "\\xff bytes", "from a child", "no newline"):
        assert text in done.stdout
    assert done.stdout.count("x" * 60_000) == 3
    assert "Talk 1 | to stderr" in done.stderr


def test_one_simulation_of_a_network_at_a_time(project: Project) -> None:
    project.write(COUNT, config="JOBS = [SourceJob(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]")
    first = project.start()
    wait_for((project.simulation / "2" / "out.txt").exists, "the sink is running")
    second = project.start()
    _, err = second.communicate(timeout=30)
    assert second.returncode == 2
    assert "simulated already" in err
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=20)
    assert first.returncode == 0


def test_teardown_is_called_and_does_not_hide_what_went_wrong(project: Project) -> None:
    project.write(
        COUNT
        + """
class Careless(PythonJob):
    def setup(self, *args, **kwargs):
        self.file = open("no such file")
    def run(self, value):
        pass
    def teardown(self):
        self.file.close()
""",
        config="JOBS = [Count(outputs=[PicklePipe(1)]), Careless(inputs=[PicklePipe(1)])]",
    )
    done = project.simulate()
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith("error: job Careless 2 failed in setup(): FileNotFoundError")
    assert told.endswith(
        "; teardown() failed as well: AttributeError: 'Careless' object has no attribute 'file'"
    )
    assert "teardown() failed" not in done.stdout + "".join(done.stderr.splitlines()[:-1])
    assert "teardown() failed as well" in (project.simulation / "fission.log").read_text()


def test_jobs_that_collect_more_than_the_window_holds_do_not_stall(project: Project) -> None:
    """The second job needs 50 * 50 blocks of 4 KB for its first round; the first window has 64 KiB."""
    project.write(
        """
        class Blocks(PythonJob):
            def run(self):
                for n in range(5000):
                    yield n.to_bytes(4, "little") * 1000

        class Collect(PythonJob):
            def run(self, blocks):
                return [block[:4] for block in blocks]

        class Show(PythonJob):
            def run(self, lists):
                values = [int.from_bytes(one, "little") for part in lists for one in part]
                print(values[0], values[-1], values == list(range(values[0], values[-1] + 1)))
        """,
        pipes="""
        class Fifty(PicklePipe):
            BLOCK_COUNT = 50
            RETAIN = 1 << 16
        """,
        config="""
        JOBS = [
            Blocks(outputs=[Fifty(1)]),
            Collect(inputs=[Fifty(1)], outputs=[Fifty(2)]),
            Show(inputs=[Fifty(2)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "Show 3    | 0 2499 True" in done.stdout
    assert "Show 3    | 2500 4999 True" in done.stdout


def test_a_job_goes_on_when_one_of_its_receivers_wants_no_more(project: Project) -> None:
    project.write(
        """
        class Blocks(PythonJob):
            def run(self):
                for _ in range(30_000):
                    yield bytes(1000)

        class Short(PythonJob):
            rounds = 0
            def run(self, block):
                self.rounds += 1
                if self.rounds == 5:
                    self.finish()

        class All(PythonJob):
            rounds = 0
            def run(self, block):
                self.rounds += 1
            def teardown(self):
                print("all", self.rounds)
        """,
        config="""
        JOBS = [
            Blocks(outputs=[PicklePipe(1)]),
            DistributingJob(inputs=[PicklePipe(1)], outputs=[PicklePipe(2), PicklePipe(3)]),
            Short(inputs=[PicklePipe(2)]),
            All(inputs=[PicklePipe(3)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "all 30000" in done.stdout
    assert re.search(r"Short 3 +finished +5 ", done.stdout), done.stdout


def test_a_loop_ends_with_a_job_in_it(project: Project) -> None:
    project.write(
        COUNT
        + """
class Endless(PythonJob):
    def run(self):
        n = 0
        while True:
            n += 1
            yield n

class Both(PythonJob):
    def run(self, value, back):
        return value

class Five(PythonJob):
    def run(self, value):
        if value == 5:
            self.finish()
        return value
""",
        config="""
        JOBS = [
            Endless(outputs=[PicklePipe(1)]),
            Both(inputs=[PicklePipe(1), OptionalPicklePipe(3)], outputs=[PicklePipe(2)]),
            Five(inputs=[PicklePipe(2)], outputs=[OptionalPicklePipe(3), PicklePipe(4)]),
            Write(inputs=[PicklePipe(4)]),
        ]
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert project.text(4, "out.txt").split() == ["1", "2", "3", "4", "5"]


def test_a_stop_iteration_of_user_code_loses_no_rounds(project: Project) -> None:
    project.write(
        COUNT,
        pipes="""
        class Odd(PicklePipe):
            def unpack(self, data):
                return next(iter(() if data == 7 else (data,)))
        """,
        config="JOBS = [Count(outputs=[Odd(1)]), Write(inputs=[Odd(1)])]",
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 1
    assert "StopIteration" in done.stderr


def test_optional_inputs_alone_give_no_rounds_that_nobody_sent(project: Project) -> None:
    project.write(
        COUNT,
        pipes="""
        class Now(OptionalPicklePipe):
            OPTIONAL_STORE = False
        """,
        config="JOBS = [Count(outputs=[Now(1), Now(2)]), Write(inputs=[Now(1), Now(2)])]",
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in project.text(2, "out.txt").splitlines()]
    assert all(row != ["None", "None"] for row in rows)
    assert [row[0] for row in rows if row[0] != "None"] == [str(i) for i in range(1, 11)]


def test_children_in_sessions_of_their_own_hold_up_nobody(project: Project) -> None:
    project.write(
        """
        import subprocess

        class Parent(PythonJob):
            def run(self):
                self.child = subprocess.Popen(["sleep", "50"], start_new_session=True)
                print("child", self.child.pid)
                yield 1
                os.kill(os.getpid(), 9)

        class Sink(PythonJob):
            def run(self, value):
                pass
        """,
        config="JOBS = [Parent(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])]",
    )
    done = project.simulate(deadline=30)
    found = re.search(r"child (\d+)", done.stdout)
    assert found is not None
    os.kill(int(found.group(1)), signal.SIGKILL)  # it still sleeps: nobody has waited for it
    assert done.returncode == 1
    assert "SIGKILL" in done.stderr


def test_a_reader_that_goes_away_ends_it(project: Project) -> None:
    project.write(
        COUNT, config="JOBS = [SourceJob(delay=0.01, outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]"
    )
    with open(project.root / "net" / "jobs" / "jobs.py", "a", encoding="utf-8") as file:
        file.write("\n\nclass Loud(Write):\n    def run(self, value):\n        print(value)\n")
    config = project.root / "net" / "config.py"
    config.write_text(config.read_text().replace("Write(", "Loud("))
    process = project.start()
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=30)
    assert not processes_of(project.root)


def test_a_hangup_ends_it_cleanly(project: Project) -> None:
    project.write(COUNT, config="JOBS = [SourceJob(outputs=[PicklePipe(1)]), Write(inputs=[PicklePipe(1)])]")
    process = project.start()
    wait_for((project.simulation / "2" / "out.txt").exists, "the sink is running")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not processes_of(project.root)
