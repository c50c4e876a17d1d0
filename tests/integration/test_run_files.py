"""`run` on an embedded cluster: the files of jobs arrive, and what is shown waits for no reader."""

import json
import os
import signal
import subprocess

from kits.waiting import wait_for

from .conftest import Project

JOBS = """
    import json
    from pathlib import Path

    class Count(PythonJob):
        def run(self):
            for number in range(20):
                time.sleep(0.01)
                yield number

    class Look(PythonJob):
        DEPENDENCIES = ["net/source/tools", "elsewhere.py"]

        def setup(self, *args, **kwargs):
            super().setup(*args, **kwargs)
            from net.jobs.helper import TABLE
            import top
            files = sorted(str(path) for path in Path().rglob("*"))
            runs = os.access("program", os.X_OK)
            writes = os.access("large.bin", os.W_OK)
            size = os.path.getsize("large.bin")
            print("found", json.dumps([TABLE, top.NAME, files, runs, writes, size]))

        def run(self, value):
            pass
"""
CONFIG = """
JOBS = [Count(outputs=[PicklePipe(1)]), Look([PicklePipe(1)])]
PRE_COPY = True
"""
LARGE = 5_000_001


def test_files_are_where_jobs_look_for_them(project: Project) -> None:
    project.write(JOBS, CONFIG)
    net = project.root / "net"
    (net / "jobs/table.json").write_text("[1, 2]")
    (net / "jobs/helper.py").write_text(
        "import json\nfrom pathlib import Path\n"
        "TABLE = json.loads((Path(__file__).parent / 'table.json').read_text())\n"
    )
    (project.root / "top.py").write_text("NAME = 'top'\n")
    (project.root / "elsewhere.py").write_text("")
    (net / "source/tools/out").mkdir(parents=True)
    (net / "source/tools/program").write_text("#!/bin/sh\n")
    (net / "source/tools/program").chmod(0o755)
    (net / "source/tools/large.bin").write_bytes(b"x" * LARGE)
    process = project.run("--embedded", "2", "--until-finished")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, out
    (found,) = (line.partition("found ")[2] for line in out.splitlines() if " | found " in line)
    files = ["elsewhere.py", "large.bin", "out", "program"]
    assert json.loads(found) == [[1, 2], "top", files, True, True, LARGE]


TALK = """
    class Talk(PythonJob):
        def run(self):
            while True:
                time.sleep(0.001)
                print("x" * 1000)
                yield 1

    class Sink(PythonJob):
        def run(self, value):
            pass
"""
TALKING = "JOBS = [Talk(outputs=[PicklePipe(1)]), Sink([PicklePipe(1)])]"


def test_it_ends_when_its_reader_goes(project: Project) -> None:
    process = project.write(TALK, TALKING).run("--embedded", "2")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 1
    project.running.remove(process)


def test_it_goes_on_when_its_reader_stands_still_and_hears_signals(project: Project) -> None:
    process = project.write(TALK, TALKING).run("--embedded", "2")
    log = project.root / "FISSION.log"
    wait_for(lambda: log.exists() and log.stat().st_size > 1 << 20, "more lines than a pipe takes")
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 0


KEEP = """
    class Note(LocalJob, PythonJob):
        def run(self):
            print("before:", os.path.exists("note.txt"))
            open("note.txt", "w").close()
            self.finish()
            return 1

    class Sink(LocalJob, PythonJob):
        def run(self, value):
            pass
"""


def test_files_of_an_earlier_run_are_kept_only_if_asked_for(project: Project) -> None:
    project.write(KEEP, "JOBS = [Note(outputs=[PicklePipe(1)]), Sink([PicklePipe(1)])]")
    found = []
    for options in ((), ("--keep-files",), ()):
        done = subprocess.run(
            project.command("run", "--until-finished", *options),
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        found += [line.rpartition(" ")[2] for line in done.stdout.splitlines() if "before:" in line]
    assert found == ["False", "True", "False"]
