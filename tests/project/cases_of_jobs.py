"""Jobs that break a rule."""

import functools
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fission.core.jobs import InteractiveJob, LocalJob, LoggingJob, PythonJob, SourceJob
from fission.core.pipes import PicklePipe

from .cases import Sink, case, chain, problems, with_attributes


class Forgetful(PythonJob):
    def rum(self, value: object) -> None:
        """Misspelled."""


class Mixed(LocalJob):
    def run(self, value: object) -> None:
        """Not a PythonJob."""


class EmptyLog(LoggingJob):
    """Has neither run_job nor run."""


@case("E201")
def _():
    return problems(chain(PicklePipe(1), sink=Forgetful())), "Forgetful 2", "has no run"


@case("E201")
def _():
    return problems(chain(PicklePipe(1), sink=Mixed())), "Mixed 2", "Mixed is not a PythonJob"


@case("E201")
def _():
    return problems(chain(PicklePipe(1), sink=EmptyLog())), "EmptyLog 2", "has no run_job"


class Forgets(PythonJob):
    def run(self, value: int) -> None:
        """Compute something, and forget to return it."""
        doubled = [value * 2]
        doubled.sort(key=lambda one: -one)

        def unused() -> int:
            return value

        if doubled:
            return


class ForgetsToo(Forgets):
    """Inherits it."""


class YieldsNothing(PythonJob):
    def run(self) -> Iterable[None]:
        for _ in range(3):
            yield


class ForgetsLogged(LoggingJob):
    def run_job(self, value: int) -> None:
        value += 1


class ForgetsConverted(InteractiveJob):
    def convert(self, line: str) -> Any:
        line.upper()


def between(job: PythonJob) -> list[Any]:
    """A source, the job, a sink."""
    job.inputs.append(PicklePipe(1))
    job.outputs.insert(0, PicklePipe(2))
    return [SourceJob(outputs=[PicklePipe(1)]), job, Sink(inputs=[PicklePipe(2)])]


@case("E213")
def _():
    return problems(between(Forgets())), "Forgets 2", "run returns nothing, and the job has 1 output"


@case("E213")
def _():
    return problems(between(ForgetsToo())), "ForgetsToo 2", "run returns nothing"


@case("E213")
def _():
    return problems(chain(PicklePipe(1), source=YieldsNothing())), "YieldsNothing 1", "run returns nothing"


@case("E213")
def _():
    rows = PicklePipe(3)
    jobs = [*between(ForgetsLogged(logging_output=rows)), Sink(inputs=[rows])]
    return problems(jobs), "ForgetsLogged 2", "run_job returns nothing, and the job has 2 outputs"


@case("E213")
def _():
    jobs = chain(PicklePipe(1), source=ForgetsConverted())
    return problems(jobs), "ForgetsConverted 1", "convert returns nothing"


@case("E201")
def _():
    found = problems(chain(PicklePipe(1), sink=Forgetful()))
    assert found[0].hint == "It has 'rum': rename that to 'run'"
    return found, "Forgetful 2", "has no run"


class Two(PythonJob):
    def run(self, left: object, right: object) -> None:
        """Take two values."""


class Some(PythonJob):
    def run(self, one: object, two: object = 2, three: object = 3) -> None:
        """Take one to three values."""


class AtLeastTwo(PythonJob):
    def run(self, first: object, second: object, *more: object) -> None:
        """Take two or more values."""


class Keyword(PythonJob):
    def run(self, value: object, *, factor: object) -> None:
        """Want what nobody passes."""


class NoSelf(PythonJob):
    def run() -> None:  # type: ignore[misc]
        """Forget self."""


class Eager(PythonJob):
    def run(self, value: object) -> object:
        """Take a value, although it is a source."""
        return value


class TwoLogged(LoggingJob):
    def run_job(self, left: object, right: object) -> None:
        """Take two values."""


@case("E202")
def _():
    return (
        problems(chain(PicklePipe(7), sink=Two())),
        "Two 2",
        "run takes 2 values (left, right), and the job has 1 input: 7",
    )


@case("E202")
def _():
    found = problems([*chain(PicklePipe(1), sink=Two()), *chain(PicklePipe(2), sink=Some())])
    return [found[0]], "Two 2", "run takes 2 values"


@case("E202")
def _():
    some = Some(inputs=[PicklePipe(n) for n in range(4)])
    found = problems([SourceJob(outputs=[PicklePipe(n) for n in range(4)]), some])
    return (
        found,
        "Some 2",
        "run takes 1 to 3 values (one, two, three), and the job has 4 inputs: 0, 1, 2 and 3",
    )


@case("E202")
def _():
    return problems(chain(PicklePipe(1), sink=AtLeastTwo())), "AtLeastTwo 2", "takes 2 values or more"


@case("E202")
def _():
    return problems(chain(PicklePipe(1), sink=Keyword())), "Keyword 2", "requires the keyword argument factor"


@case("E202")
def _():
    return problems(chain(PicklePipe(1), sink=NoSelf())), "NoSelf 2", "run does not take self"


@case("E202")
def _():
    found = problems(chain(PicklePipe(1), source=Eager()))
    return found, "Eager 1", "run takes 1 value (value), and the job has no inputs"


@case("E202")
def _():
    return problems(chain(PicklePipe(1), sink=TwoLogged())), "TwoLogged 2", "run_job takes 2 values"


class Generator(PythonJob):
    def run(self, value: object) -> Iterable[object]:
        yield value


def decorated(run: Any) -> Any:
    @functools.wraps(run)
    def wrapper(*args: object) -> object:
        return run(*args)

    return wrapper


class Wrapped(PythonJob):
    @decorated
    def run(self, value: object) -> Iterable[object]:
        yield value


@case("E203")
def _():
    return problems(chain(PicklePipe(1), sink=Generator())), "Generator 2", "run is a generator"


@case("E203")
def _():
    return problems(chain(PicklePipe(1), sink=Wrapped())), "Wrapped 2", "run is a generator"


class Coroutine(PythonJob):
    async def run(self, value: object) -> None:
        """Would never be awaited."""


class AsyncSource(PythonJob):
    async def run(self) -> Any:
        yield 1


@case("E204")
def _():
    return problems(chain(PicklePipe(1), sink=Coroutine())), "Coroutine 2", "run is async"


@case("E204")
def _():
    return problems(chain(PicklePipe(1), source=AsyncSource())), "AsyncSource 1", "run is async"


class Holder(PythonJob):
    def __init__(self, **things: object) -> None:
        super().__init__()
        self.__dict__.update(things)

    def run(self, value: object) -> None:
        """Hold something."""


class Stubborn:
    def __reduce__(self) -> str:
        raise RuntimeError


@case("E205")
def _():
    found = problems(chain(PicklePipe(1), sink=Holder(lock=threading.Lock())))
    return found, "Holder 2", "self.lock cannot be pickled: cannot pickle '_thread.lock' object"


@case("E205")
def _():
    # the lambda travels by value
    found = problems(chain(PicklePipe(1), sink=Holder(key=lambda: 0, fine=1, odd=Stubborn(), bad=Stubborn())))
    return found, "Holder 2", "self.odd and self.bad cannot be pickled: "


@case("E205")
def _():
    found = problems(chain(PicklePipe(1), sink=Holder(file=sys.__stdout__)))
    return found, "Holder 2", "self.file cannot be pickled: cannot pickle 'TextIOWrapper' object"


@case("E205")
def _():
    lock = threading.Lock()

    class Inner(Sink):
        def teardown(self) -> None:
            lock.acquire()

    reason = (
        "the job cannot be pickled: the variable 'lock', which _.<locals>.Inner.teardown uses: cannot pickle"
    )
    return problems(chain(PicklePipe(1), sink=Inner())), "Inner 2", reason


@case("E207")
def _():
    return (
        problems(chain(PicklePipe(1), sink=with_attributes(Sink, HEAD=1)())),
        "Sink 2",
        "HEAD: expected True",
    )


for value in (-1, 1.5, None, True):

    @case("E207")
    def _(value: object = value):
        found = problems(chain(PicklePipe(1), sink=with_attributes(Sink, MAX_QUEUE=value)()))
        return found, "Sink 2", "MAX_QUEUE: expected a number of rounds"


for name, value, expected in (
    ("STATE", "automatic", "STATE: expected 'auto' or 'none'"),
    ("STATE", None, "STATE: expected 'auto' or 'none'"),
    ("CHECKPOINT_INTERVAL", 0, "CHECKPOINT_INTERVAL: expected a number of seconds above 0"),
    ("CHECKPOINT_INTERVAL", "1", "CHECKPOINT_INTERVAL: expected a number of seconds above 0"),
    ("PROGRESS_TIMEOUT", 0.5, "PROGRESS_TIMEOUT: expected a number of seconds from 1"),
    ("PROGRESS_TIMEOUT", False, "PROGRESS_TIMEOUT: expected a number of seconds from 1"),
    ("PROGRESS_TIMEOUT", "5", "PROGRESS_TIMEOUT: expected a number of seconds from 1"),
):

    @case("E207")
    def _(name: str = name, value: object = value, expected: str = expected):
        found = problems(chain(PicklePipe(1), sink=with_attributes(Sink, **{name: value})()))
        return found, "Sink 2", expected


for there, missing in (("snapshot", "restore"), ("restore", "snapshot")):

    @case("E212")
    def _(there: str = there, missing: str = missing):
        kind = with_attributes(Sink, **{there: lambda self, *_: None})
        return problems(chain(PicklePipe(1), sink=kind())), "Sink 2", f"has {there}, but no {missing}"


@case("E208")
def _():
    kind = with_attributes(Sink, DEPENDENCIES="nowhere")
    found = problems(chain(PicklePipe(1), sink=kind()), folder="/tmp/p/demo")
    return found, "Sink 2", "DEPENDENCIES: there is no folder or module 'nowhere'"


@case("E209")
def _():
    here = Path(__file__).parent
    kind = with_attributes(Sink, DEPENDENCIES=[str(here), str(here.parent)])
    return problems(chain(PicklePipe(1), sink=kind())), "Sink 2", "more than one folder: project and tests"


for value in (5, [5], [None], "", {"a": 1}):

    @case("E209")
    def _(value: object = value):
        kind = with_attributes(Sink, DEPENDENCIES=value)
        found = problems(chain(PicklePipe(1), sink=kind()))
        return found, "Sink 2", "DEPENDENCIES: expected a path or a module"


class ThreeInstead(PythonJob):
    run = 3  # type: ignore[assignment]


@case("E210")
def _():
    return (
        problems(chain(PicklePipe(1), sink=ThreeInstead())),
        "ThreeInstead 2",
        "run is the int 3, and is called",
    )


@case("E210")
def _():
    sink = with_attributes(Sink, teardown="at once")()
    return problems(chain(PicklePipe(1), sink=sink)), "Sink 2", "teardown is the str 'at once'"


@case("E211")
def _():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "link").symlink_to("nothing")
        kind = with_attributes(Sink, DEPENDENCIES=folder)
        found = problems(chain(PicklePipe(1), sink=kind()), folder="/tmp/p/demo")
    return found, "Sink 2", f"{folder}/link: this link leads nowhere; found nothing"
