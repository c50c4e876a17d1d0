"""Jobs whose processes are killed. Their outputs say what they computed, so that two runs can be compared."""

from pathlib import Path
from time import sleep
from zlib import crc32

from fission.core.jobs import PythonJob
from fission.core.pipes import PicklePipe


class Single(PicklePipe):
    pass


class Triple(PicklePipe):
    BLOCK_COUNT = 3


class Tight(PicklePipe):
    RETAIN = 2000


class Numbers(PythonJob):
    """A source that is not killed: 1, 2, ... `total`, in bursts of 20."""

    def __init__(self, total, pause=0.004, **pipes):
        super().__init__(**pipes)
        self.total, self.pause = total, pause

    def run(self):
        for number in range(1, self.total + 1):
            yield number
            if number % 20 == 0:
                sleep(self.pause)


class Mix(PythonJob):
    """No state: a value that depends on all that came in."""

    STATE = "none"

    def run(self, *values):
        return crc32(repr(values).encode())


class Write(PythonJob):
    """A sink that is not killed."""

    STATE = "none"

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self._file = Path("out.txt").open("a")  # noqa: SIM115 - closed with the process

    def run(self, *values):
        print(*values, file=self._file, flush=True)
