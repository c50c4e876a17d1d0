"""What a program does wrong is noticed, and named in one line; nothing of it is left."""

import os
import signal
import time

import psutil
import pytest

from kits.waiting import wait_for

from .conftest import Project
from .programs_kit import install, lines, write

CHAIN = """
JOBS = [
    Count(outputs=[IntPipe(1)]),
    program("it.py", {options})(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
    Write(inputs=[IntPipe(2)]),
]
"""


def chain(project: Project, text: str, options: str = "", *, endless: bool = False) -> Project:
    """A source, the program, a sink."""
    jobs = "Count.LAST = 10**9" if endless else ""
    return write(project, CHAIN.format(options=options), jobs=jobs, it=text)


def failure_of(project: Project) -> str:
    done = project.simulate("--until-finished")
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: job ")]
    assert line.startswith("error: job it 2 failed"), line
    return line


def test_an_exit_code_is_told_with_the_command_and_the_last_words(project: Project) -> None:
    chain(
        project,
        """
        (file,), (out,) = open_all()
        out.write(exactly(file, 4))
        print("first words", file=sys.stderr)
        print("no such device", file=sys.stderr)
        sys.exit(3)
        """,
    )
    line = failure_of(project)
    assert "it.py -i pipe-1-in -o pipe-2-out: it has failed with exit code 3." in line
    assert line.endswith("It said: first words | no such device")


def test_a_signal_is_told(project: Project) -> None:
    chain(project, "(file,), (out,) = open_all(); exactly(file, 4); os.kill(os.getpid(), signal.SIGSEGV)")
    assert "it was killed by SIGSEGV" in failure_of(project)


def test_a_program_that_dies_within_a_block_is_told_by_its_death(project: Project) -> None:
    chain(project, '(file,), (out,) = open_all(); out.write(b"ab"); time.sleep(0.2); sys.exit(4)')
    assert "failed with exit code 4" in failure_of(project)


@pytest.mark.parametrize("leave", ["sys.exit(0)", "os.close(out.fileno()); time.sleep(60)"])
def test_half_a_block(project: Project, leave: str) -> None:
    chain(project, f'(file,), (out,) = open_all(); out.write(exactly(file, 4) + b"ab"); {leave}')
    line = failure_of(project)
    assert (
        "pipe 2 (IntPipe): what the program has written ends within a block; expected 4 bytes, found 2 bytes"
        in line
    )


def test_an_input_that_is_never_opened(project: Project) -> None:
    chain(project, "time.sleep(60)", "START_TIMEOUT=0.5")
    assert "it has not opened its input pipe-1-in (pipe 1 (IntPipe)) within 0.5 s" in failure_of(project)


def test_an_output_that_is_never_opened(project: Project) -> None:
    chain(project, 'file = opened(inputs[0], "rb"); exactly(file, 4); time.sleep(60)', "START_TIMEOUT=5")
    assert "it has not opened its output pipe-2-out (pipe 2 (IntPipe)) within 5 s" in failure_of(project)


def test_an_end_without_opening_an_output(project: Project) -> None:
    chain(project, 'file = opened(inputs[0], "rb"); exactly(file, 4)')
    assert "it has ended without opening its output pipe-2-out" in failure_of(project)


def test_a_program_that_does_not_end(project: Project) -> None:
    chain(
        project,
        """
        (file,), (out,) = open_all()
        while data := exactly(file, 4):
            out.write(data)
        time.sleep(60)
        """,
        "END_TIMEOUT=0.5",
    )
    assert "it has not ended within 0.5 s after its inputs had ended" in failure_of(project)


def test_a_child_that_keeps_the_output_open(project: Project) -> None:
    chain(
        project,
        """
        (file,), (out,) = open_all()
        while data := exactly(file, 4):
            out.write(data)
        if os.fork() == 0:
            time.sleep(60)
        """,
        "END_TIMEOUT=0.5",
    )
    assert "it has ended, and a program that it has started keeps its output pipe-2-out" in failure_of(
        project
    )


def test_an_output_that_is_closed_early_ends_the_stream(project: Project) -> None:
    chain(
        project,
        """
        (file,), (out,) = open_all()
        for _ in range(3):
            out.write(exactly(file, 4))
        out.close()
        while file.read(4096):
            pass
        """,
        endless=True,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == ["1", "2", "3"]
    assert "its program has ended before its inputs" in (project.simulation / "fission.log").read_text()


def test_rounds_that_are_not_answered_are_told(project: Project) -> None:
    chain(
        project,
        "(file,), (out,) = open_all()\nwhile data := exactly(file, 4):\n    if data < bytes([8]): out.write(data)",
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == [str(n) for n in range(1, 8)]
    assert "it 2: its program has ended without a block for each of its last 3 rounds" in done.stderr


def test_an_input_that_is_closed_early_is_told(project: Project) -> None:
    chain(
        project,
        """
        (file,), (out,) = open_all()
        out.write(exactly(file, 4))
        file.close()
        time.sleep(1.5)
        """,
        endless=True,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == ["1"]
    assert "its program has closed its input pipe-1-in (pipe 1 (IntPipe)); what still comes" in done.stderr


def test_what_is_no_json_is_told(project: Project) -> None:
    write(
        project,
        'JOBS = [program("it.py")(outputs=[JSONPipe(1)]), Write(inputs=[JSONPipe(1)])]',
        it='_, (out,) = open_all(); out.write(b"1\\n2,\\n"); time.sleep(60)',
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 1
    assert (
        "job it 1 failed in round 1: pipe 1 (JSONPipe): what the program has written is no JSON"
        in done.stderr
    )


def test_a_program_that_vanishes_before_the_start(project: Project) -> None:
    write(
        project,
        'JOBS = [Vanishing("source", "it.sh", outputs=[IntPipe(1)]), Write(inputs=[IntPipe(1)])]',
        jobs="""
        class Vanishing(DynamicExecutableJob):
            def setup(self, *args, **kwargs):
                super().setup(*args, **kwargs)
                os.rename("it.sh", "other.sh")
        """,
    )
    install(project, "it.sh", "#!/bin/sh\n", executable=True)
    done = project.simulate("--until-finished")
    assert done.returncode == 1
    assert "failed in setup(): program it.sh: there is no such program" in done.stderr


def test_a_program_of_another_machine(project: Project) -> None:
    write(
        project,
        'JOBS = [DynamicExecutableJob("source", "it", outputs=[IntPipe(1)]), Write(inputs=[IntPipe(1)])]',
    )
    path = install(project, "it", "", executable=True)
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x16\x00" + bytes(64))
    done = project.simulate("--until-finished")
    assert done.returncode == 1
    assert "W223" in done.stderr
    assert "it cannot be started: it was made for machine 22 of ELF; found Exec format error" in done.stderr


def test_stdout_and_stderr_are_lines_of_the_job(project: Project) -> None:
    write(
        project,
        'JOBS = [program("it.py")(inputs=[]), Count(outputs=[IntPipe(1)]), Write(inputs=[IntPipe(1)])]',
        it='print("to stdout"); print("to stderr", file=sys.stderr); print("half a line", end="")',
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "it 1    | to stdout\n" in done.stdout
    assert "it 1    | half a line\n" in done.stdout
    assert "it 1    | to stderr\n" in done.stderr


def processes_in(project: Project) -> list[psutil.Process]:
    """All that runs in the job folders, whatever it is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(project.simulation)):
                found.append(process)
        except psutil.Error:
            continue
    return found


STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(file,), (out,) = open_all()
if os.fork() == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    time.sleep(60)
"""


def test_ctrl_c_ends_a_program_that_does_not_want_to(project: Project) -> None:
    chain(project, STUBBORN, endless=True)
    process = project.start()
    wait_for(lambda: len(processes_in(project)) == 5, "3 jobs, the program and its child")
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert time.monotonic() - started < 15
    wait_for(lambda: not processes_in(project), "everything has ended", 5)


def test_a_job_process_that_is_killed_takes_its_program_along(project: Project) -> None:
    chain(project, STUBBORN, endless=True)
    process = project.start()
    wait_for(lambda: len(processes_in(project)) == 5, "3 jobs, the program and its child")
    program = next(one for one in processes_in(project) if "it.py" in one.cmdline())
    bridge = program.parents()[0] if "it.py" not in program.parents()[0].cmdline() else program.parents()[1]
    os.kill(bridge.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "the process of job it 2 was killed by SIGKILL" in errors
    wait_for(lambda: not processes_in(project), "everything has ended", 5)


def test_receivers_that_want_nothing_more_end_the_program(project: Project) -> None:
    write(
        project,
        'JOBS = [program("it.py")(outputs=[IntPipe(1)]), Three(inputs=[IntPipe(1)])]',
        jobs="""
        class Three(PythonJob):
            count = 0
            def run(self, value):
                self.count += 1
                if self.count == 3:
                    self.finish()
        """,
        it="""
        _, (out,) = open_all()
        while True:
            out.write(bytes(4))
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
