"""`check --replay` finds the jobs that do not go on identically after a restart, and says why."""

import json
import subprocess

import pytest

JOBS = """
    import random
    import threading

    class Pipe(PicklePipe):
        pass

    class Live(PythonJob):
        def run(self):
            time.sleep(0.001)
            return time.time()

    class Numbers(PythonJob):
        def __init__(self, **pipes):
            super().__init__(**pipes)
            self.count = 0

        def run(self):
            while self.count < 200:
                self.count += 1
                yield self.count

        def snapshot(self):
            return self.count

        def restore(self, state):
            self.count = state

    class Late(Numbers):
        '''It says where it is only when the next block is wanted.'''

        def run(self):
            while self.count < 200:
                yield self.count + 1
                self.count += 1

    class Sum(PythonJob):
        def setup(self, *args, **kwargs):
            super().setup(*args, **kwargs)
            self.total = 0

        def run(self, *values):
            self.total += sum(values)
            return self.total

    class Hidden(PythonJob):
        '''Its state is where nobody looks.'''

        seen = []

        def run(self, value):
            self.seen.append(value)
            return len(self.seen)

    class Locked(PythonJob):
        '''Its state is beside something that cannot be pickled.'''

        def setup(self, *args, **kwargs):
            super().setup(*args, **kwargs)
            self.box = {"lock": threading.Lock(), "count": 0}

        def run(self, value):
            self.box["count"] += 1
            return self.box["count"]

    class Ears(PythonJob):
        def run(self, number, typed, unheard, live):
            self.heard = getattr(self, "heard", 0) + len(typed or "")
            return self.heard

    class Knob(OptionalPicklePipe):
        pass

    class Loose(OptionalPicklePipe):
        DELIVERY = "live"

    class Chance(PythonJob):
        def run(self, value):
            self.last = random.random()
            return value
"""

CONFIG = """
    numbers, late, live = Numbers(outputs=[Pipe(1)]), Late(outputs=[Pipe(2)]), Live(outputs=[Pipe(3), Pipe(13)])
    JOBS = [
        numbers,
        late,
        live,
        Sum(inputs=[Pipe(1), Pipe(2)], outputs=[Pipe(4), Pipe(5), Pipe(6)]),
        Hidden(inputs=[Pipe(4)], outputs=[Pipe(7)]),
        Locked(inputs=[Pipe(5)], outputs=[Pipe(8)]),
        Chance(inputs=[Pipe(6)], outputs=[Pipe(9)]),
        InteractiveJob(outputs=[Knob(10)], name="Typed"),
        InteractiveJob(outputs=[Knob(11), Loose(12)], name="Silent"),
        Ears(inputs=[Pipe(13), Knob(10), Knob(11), Loose(12)], outputs=[Pipe(14)]),
        CSVSinkJob("out.csv", inputs=[Pipe(7), Pipe(8), Pipe(9)]),
        CSVSinkJob("times.csv", inputs=[Pipe(3), Pipe(14)]),
    ]
"""


@pytest.fixture
def answers(project):
    project.write(JOBS, CONFIG)
    command = project.command("check", "--replay", "--json", "--for", "4s", "--type", "Typed=ab")
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2, done.stderr
    return {answer["job"].split()[0]: answer for answer in json.loads(done.stdout)["jobs"]}


def test_every_job_gets_its_answer(answers):
    same = {name: answer["same"] for name, answer in answers.items()}
    assert same == {
        "Numbers": True,
        "Late": False,
        "Live": None,
        "Sum": True,
        "Hidden": False,
        "Locked": False,
        "Typed": None,
        "Silent": None,
        "Ears": True,
        "Chance": False,
        "CSVSinkJob": True,
    }
    assert "live source" in answers["Live"]["text"]
    assert "instead of" in answers["Late"]["text"]
    assert "cannot be pickled: box" in answers["Locked"]["text"]
    assert "all blocks are equal; other attributes: last" in answers["Chance"]["text"]
    ears = answers["Ears"]["text"]
    assert "pipe 10" not in ears
    assert (
        "not tested with blocks of optional pipe 11, as none came: type some with --type 'Silent=LINE'"
        in ears
    )
    assert "blocks of optional pipe 12 are not repeated (DELIVERY is 'live')" in ears


def test_a_line_needs_a_job_that_exists(project):
    project.write(JOBS, CONFIG)
    for typed, found in (("ab", "expected JOB=LINE"), ("Types=ab", "Did you mean 'Typed'?")):
        command = project.command("check", "--replay", "--type", typed)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert found in done.stderr
