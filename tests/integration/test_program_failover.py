"""Programs on an embedded cluster: they are killed, and the rows at the end are those of an undisturbed run."""

import os
import signal
import subprocess

import psutil

from kits.waiting import wait_for

from .conftest import Project
from .programs_kit import write

LAST = 2000


def processes(project: Project, run: "subprocess.Popen[str]", word: str) -> list[psutil.Process]:
    """What the run has started and has a word in its command line."""
    found = []
    for process in psutil.Process(run.pid).children(recursive=True):
        try:
            if word in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def rows(project: Project) -> int:
    file = project.root / "net" / "local" / "4" / "out.csv"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_source_that_is_a_program_counts_again(project: Project) -> None:
    """It is live: all that meet it in the join begin again with it, and the join is aligned anew."""
    write(
        project,
        """
        JOBS = [
            program("numbers.py")(outputs=[IntPipe(1)]),
            program("copy_.py")(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
            Other(outputs=[IntPipe(3)]),
            Note(inputs=[IntPipe(2), IntPipe(3)]),
        ]
        """,
        jobs="""
        class Other(PythonJob):
            count = 0
            def run(self):
                self.count += 1
                time.sleep(0.01)
                return self.count

        class Note(LocalJob, PythonJob):
            HEAD = True
            resets = after = 0
            def setup(self, *args, **kwargs):
                super().setup(*args, **kwargs)
                self.file = open("out.csv", "w", buffering=1)
            def run(self, left, right):
                print(int(self.head), left, right, file=self.file)
                self.resets += self.head[1]
                self.after += self.resets == 2 and not self.head
                if self.after == 50:
                    self.finish()
        """,
        numbers="""
        _, (out,) = open_all()
        for n in range(1, 10**6):
            out.write(n.to_bytes(4, "little"))
            time.sleep(0.01)
        """,
        copy_="""
        (file,), (out,) = open_all()
        while data := exactly(file, 4):
            out.write(data)
        """,
    )
    run = project.run("--embedded", "2", "--until-finished")
    wait_for(lambda: rows(project) > 50, "rows at the sink")
    (victim,) = processes(project, run, "numbers.py")
    os.kill(victim.pid, signal.SIGKILL)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0, out
    noted = [
        tuple(map(int, row.split()))
        for row in (project.root / "net/local/4/out.csv").read_text().splitlines()
    ]
    (first, second) = (index for index, (head, _, _) in enumerate(noted) if head & 0x40)
    assert first == 0
    whole = [(left, right) for head, left, right in noted[:second] if not head & 0x80]
    assert whole == [(n, n) for n in range(1, len(whole) + 1)]
    offset = noted[second][2] - 1
    assert [(left, right - offset) for _, left, right in noted[second:]] == [
        (n, n) for n in range(1, len(noted) - second + 1)
    ]


def test_programs_and_their_processes_are_killed(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Paced(outputs=[IntPipe(1)]),
            program("double.py")(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
            program("pairs.py", kind=Inheriting)(inputs=[PairPipe(3)], outputs=[IntPipe(4)]),
            CSVSinkJob("out.csv", inputs=[IntPipe(4)]),
            Spread(inputs=[IntPipe(2)], outputs=[PairPipe(3)]),
        ]
        """,
        jobs=f"""
        class Paced(PythonJob):
            count = 0
            def snapshot(self):
                return self.count
            def restore(self, count):
                self.count = count
            def run(self):
                if self.count == {LAST}:
                    return None
                self.count += 1
                time.sleep(0.005)
                return self.count

        class Spread(ForwardingJob):
            pass
        """,
        pipes="""
        class PairPipe(IntPipe):
            BLOCK_COUNT = 2
        """,
        double="""
        (file,), (out,) = open_all()
        while data := exactly(file, 4):
            out.write((2 * int.from_bytes(data, "little")).to_bytes(4, "little"))
        """,
        pairs="""
        (file,), (out,) = open_all()
        while data := exactly(file, 8):
            out.write(sum(struct.unpack("<2i", data)).to_bytes(4, "little"))
        """,
    )
    run = project.run("--embedded", "2", "--until-finished")
    for number, word in enumerate(("double.py", "pairs.py", "double.py")):
        wait_for(lambda: rows(project) > 100 * (number + 1), "rows at the sink")  # noqa: B023 - it is called now
        (victim,) = processes(project, run, word)
        if number == 2:
            victim = victim.parent() or victim  # the job process, which takes the program along
        os.kill(victim.pid, signal.SIGKILL)
        wait_for(lambda: not victim.is_running(), "it has ended")  # noqa: B023
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0, out
    found = (project.root / "net" / "local" / "4" / "out.csv").read_text().split()
    assert found[1:] == [str(2 * n + 2 * (n + 1)) for n in range(1, LAST, 2)]
    assert "it was killed by SIGKILL" in out
