"""Payloads are opened in a process of their own, as those of jobs are."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fission.core.jobs import SourceJob
from fission.errors import RunError
from fission.serialization import by_value

SCRIPT = """
import enum, pathlib, sys
from dataclasses import dataclass
from fission.core.jobs import PythonJob, SourceJob
from fission.core.pipes import PicklePipe
from fission.serialization import by_value

FACTOR = 3

@dataclass
class Point:
    x: int
    class Unit(enum.Enum):
        METER = 1

def scaled(value):
    return value * FACTOR

class Base(PythonJob):
    def __init__(self, **pipes):
        super().__init__(**pipes)
        self.key = lambda point: scaled(point.x)

class Job(Base):
    def run(self, point):
        return self.key(point), Point.Unit.METER

class OwnPipe(PicklePipe):
    BLOCK_COUNT = 7

def build():
    class Local(PythonJob):
        def run(self):
            return "local"
    return Local()

jobs = [Job(inputs=[OwnPipe(1)]), SourceJob(outputs=[PicklePipe(2)]), build()]
for number, data in enumerate(by_value.dump_all(jobs)):
    pathlib.Path(sys.argv[1], str(number)).write_bytes(data)
"""

READ = """
import pathlib, pickle, sys
from fission.serialization import by_value
job, source, local = (by_value.load(pathlib.Path(sys.argv[1], str(n)).read_bytes()) for n in (0, 1, 2))
"""


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("payloads")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, str(script), str(folder)], timeout=60, check=True)
    return folder


def test_classes_functions_and_constants_of_a_script_travel(payloads: Path) -> None:
    shown = run(
        READ + "P = sys.modules['__main__'].Point\nprint(job.run(P(5)), job.inputs[0].BLOCK_COUNT)", payloads
    )
    assert shown == "(15, <Unit.METER: 1>) 7\n"


def test_local_classes_travel(payloads: Path) -> None:
    assert run(READ + "print(local.run())", payloads) == "local\n"


def test_blocks_of_such_classes_can_be_pickled_and_opened(payloads: Path) -> None:
    send = READ + "P = sys.modules['__main__'].Point\n"
    send += "pathlib.Path(sys.argv[1], 'block').write_bytes(pickle.dumps((P(5), P.Unit.METER)))"
    run(send, payloads)
    receive = "import pathlib, pickle, sys\nfrom fission.serialization import by_value\n"
    receive += (
        "source = by_value.load(pathlib.Path(sys.argv[1], '1').read_bytes())\n"  # its own class needs no code
    )
    receive += "print(pickle.loads(pathlib.Path(sys.argv[1], 'block').read_bytes()))"
    assert run(receive, payloads) == "(Point(x=5), <Unit.METER: 1>)\n"


def test_what_can_be_imported_stays_a_plain_pickle() -> None:
    job = SourceJob()
    assert by_value.dump(job) == pickle.dumps(job, protocol=5)
    assert by_value.dump_all([job, "__main__"]) == [
        pickle.dumps(job, protocol=5),
        pickle.dumps("__main__", protocol=5),
    ]


def test_the_newer_class_of_a_name_is_the_one_that_travels(tmp_path: Path) -> None:
    """A cell that is run again makes another class with the same name; each job keeps its own."""
    script = """
import pathlib, sys
from fission.serialization import by_value
class Job:
    def run(self):
        return "old"
old = Job()
class Job:
    def run(self):
        return "new"
for number, data in enumerate(by_value.dump_all([old, Job(), Job()])):
    pathlib.Path(sys.argv[1], str(number)).write_bytes(data)
"""
    (tmp_path / "script.py").write_text(script)
    subprocess.run([sys.executable, str(tmp_path / "script.py"), str(tmp_path)], timeout=60, check=True)
    read = "import pathlib, pickle, sys\nfrom fission.serialization import by_value\n"
    for number, text in enumerate(("old", "new", "new")):
        one = f"job = by_value.load(pathlib.Path(sys.argv[1], '{number}').read_bytes())\n"
        one += "print(job.run(), pickle.loads(pickle.dumps(job)).run())"
        assert run(read + one, tmp_path) == f"{text} {text}\n"


def test_what_cannot_be_pickled_says_so(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"cannot pickle '_thread.lock' object"):
        by_value.dump(threading.Lock())
    (tmp_path / "notes").touch()
    with (tmp_path / "notes").open() as file, pytest.raises(TypeError, match="TextIOWrapper"):
        by_value.dump(file)


def test_a_variable_that_cannot_travel_is_named(tmp_path: Path) -> None:
    script = """
import threading
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.engine.host.job_spec import pickle_jobs
from fission.project.checks import check

lock = threading.Lock()

def helper():
    with lock:
        return helper

class Job(PythonJob):
    def run(self):
        yield helper()

class Sink(PythonJob):
    def run(self, value):
        pass

network, _ = Network.build("net", [Job(outputs=[PicklePipe(1)]), Sink(inputs=[PicklePipe(1)])])
print(*[f"{one.id} {one.where} {one.message}" for one in check(network) if one.level == "error"], sep="|")
try:
    pickle_jobs(network.jobs)
except Exception as error:
    print(error)
"""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=60, check=True
    )
    checked, raised = done.stdout.splitlines()
    reason = "the variable 'lock', which helper uses: cannot pickle '_thread.lock' object"
    assert checked == f"E205 Job 1 the job cannot be pickled: {reason}"
    assert raised.startswith("job Job 1: the job cannot be pickled; ")
    assert reason in raised


def test_a_node_without_cloudpickle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = by_value.dump(lambda: 0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cloudpickle"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(), *sys.meta_path])
    with pytest.raises(RunError, match=r"needs the package cloudpickle.*Install it"):
        by_value.load(data)


class _Without:
    """Finds everything but cloudpickle."""

    def find_spec(self, name: str, *_rest: object) -> None:
        if name.partition(".")[0] == "cloudpickle":
            raise ModuleNotFoundError(f"No module named {name!r}", name="cloudpickle")


def test_another_version_of_python_is_refused() -> None:
    head, _, body = by_value.dump(lambda: 0).partition(b"\n")
    assert head == f"fission-by-value {sys.implementation.cache_tag}".encode()
    with pytest.raises(RunError, match=r"expected cpython-27, found .*Install the client's version"):
        by_value.load(b"fission-by-value cpython-27\n" + body)
