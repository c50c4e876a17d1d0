"""Jobs and pipes that the tests emulate; their processes import this file, so it is light."""

# ruff: noqa: T201 - what jobs print is under test

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from fission.core.head import Head
from fission.core.jobs import PythonJob
from fission.core.pipes import BasePipe, OptionalPicklePipe, PicklePipe


class ShortPipe(BasePipe):
    BLOCK_SIZE = 2

    def pack(self, obj):
        return obj.to_bytes(2, "little")

    def unpack(self, data):
        return int.from_bytes(data, "little")


class FivePipe(PicklePipe):
    BLOCK_COUNT = 5


class LivePipe(PicklePipe):
    DELIVERY = "live"


class GreedyPipe(ShortPipe):
    def read(self, file):
        return file.read(1)


class HungryPipe(PicklePipe):
    def write(self, file, data):
        pass


class DefaultPipe(OptionalPicklePipe):
    OPTIONAL_DEFAULT = "default"


class OnceOptionalPipe(OptionalPicklePipe):
    OPTIONAL_STORE = False
    OPTIONAL_DEFAULT = "default"


class AddJob(PythonJob):
    def run(self, *values):
        print("adding", *values)
        return sum(values)


class QuietJob(PythonJob):
    def run(self, value):
        return value


class ListSumJob(PythonJob):
    def run(self, values):
        assert type(values) is list
        return sum(values)


class DivideJob(PythonJob):
    def run(self, a, b):
        return a // b, a % b


class StateJob(PythonJob):
    def setup(self):
        super().setup()
        self.total = 0
        print("setting up")

    def run(self, value):
        self.total += value
        return self.total

    def teardown(self):
        print("tearing down at", self.total)
        Path("teardown.txt").write_text(str(self.total))


class SinkJob(PythonJob):
    def run(self, value):
        with open("got.txt", "a") as file:
            file.write(f"{value}\n")


class EverythingJob(PythonJob):
    """Tells what it sees of itself."""

    def run(self, *values):
        ends = (self.is_source(), self.is_sink(), self.is_async(), len(self.inputs), len(self.outputs))
        return {"ends": ends, "values": values, "cwd": os.getcwd(), "pid": os.getpid()}


class EverythingSinkJob(EverythingJob):
    def run(self, *values):
        print(super().run(*values)["ends"], values)


class GeneratorJob(PythonJob):
    def run(self):
        for number in (1, 2, 3):
            print("yielding", number)
            yield number


class NoneGeneratorJob(PythonJob):
    """A source that nobody listens to."""

    def run(self):
        yield None
        yield None


class FunctionSourceJob(PythonJob):
    count = 0

    def run(self):
        self.count += 1
        return self.count


class FinishJob(PythonJob):
    def run(self, value):
        if value == "last":
            self.finish()
        return None if value == "none" else value


class HeadJob(PythonJob):
    HEAD = True

    def run(self, *values):
        seen = [
            [head.value for head in entry] if isinstance(entry, list) else entry.value
            for entry in self.in_heads
        ]
        out = self.out_heads
        if out:
            out[-1] = Head(0b101, self.head_size)
        return ((seen, self.head.value, values),) if len(out) == 1 else (seen, values)


class HeadSourceJob(PythonJob):
    HEAD = True

    def run(self):
        assert self.in_heads == []
        assert len(self.out_heads) == 1
        return self.head.value


class HeadSinkJob(PythonJob):
    HEAD = True

    def run(self, value):
        assert self.out_heads == []
        print("head", self.head.value)


class FailingJob(PythonJob):
    def run(self, value):
        return 1 / value


class BadSetupJob(PythonJob):
    def setup(self):
        raise OSError("no such device")


class BadTeardownJob(PythonJob):
    def run(self, value):
        return value

    def teardown(self):
        raise ValueError("cannot tidy up")


class BehaviorJob(PythonJob):
    def run(self, what):
        match what:
            case "hang":
                print("hanging", flush=True)
                time.sleep(1000)
            case "exit":
                os._exit(3)
            case "sys.exit":
                sys.exit("enough")
            case "abort":
                os.kill(os.getpid(), 9)
            case "tuple":
                return 1, 2
            case "stderr":
                print("to stderr", file=sys.stderr)
            case "flood":
                print("x" * 1_000_000)
            case "log":
                logging.getLogger("mine").warning("look out")
            case "unpicklable":
                return lambda: 1
        return what


class StubbornJob(PythonJob):
    def run(self, value):
        while value:
            try:
                time.sleep(1000)
            except BaseException:  # noqa: BLE001 - that is what is under test
                continue
        return value


class EndlessSetupJob(PythonJob):
    def setup(self):
        time.sleep(1000)


class ProgramJob(PythonJob):
    def run(self, _value):
        return subprocess.Popen(["sleep", "1000"]).pid
