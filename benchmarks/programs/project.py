"""The project that is measured: source -> program -> sink, where the program copies blocks."""

import shutil
import subprocess
import sys
from pathlib import Path

from fission.project.scaffold import start_network, start_project

C_PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *opened(const char *name, const char *mode) {
    char *end;
    long fd = strtol(name, &end, 10);
    return *end ? fopen(name, mode) : fdopen((int)fd, mode);
}

int main(int argc, char **argv) {
    FILE *in = NULL, *out = NULL;
    int flag;
    size_t size = 1;
    while ((flag = getopt(argc, argv, "s:i:o:")) != -1)
        if (flag == 'i') in = opened(optarg, "rb");
        else if (flag == 'o') out = opened(optarg, "wb");
        else size = atoi(optarg);
    char *block = malloc(size);
    while (fread(block, size, 1, in) == 1) {
        fwrite(block, size, 1, out);
        FLUSH;
    }
    return 0;
}
"""

PYTHON_PROGRAM = """\
import sys
from getopt import getopt

names = dict(getopt(sys.argv[1:], "s:i:o:")[0])
size = int(names["-s"])
source, sink = (name if not name.isdigit() else int(name) for name in (names["-i"], names["-o"]))
with open(source, "rb") as reading, open(sink, "wb", buffering=BUFFERING) as writing:
    while block := reading.read(size):
        writing.write(block)
"""

SUBJECTS = {
    "C, buffered": ("ExecutableJob", "c", ""),
    "C, each block flushed": ("ExecutableJob", "c", "fflush(out)"),
    "C, descriptors": ("MARVELOJob", "c", ""),
    "Python, buffered": ("ExecutableJob", "python", "-1"),
    "Python, each flushed": ("ExecutableJob", "python", "0"),
    "Python, descriptors": ("MARVELOJob", "python", "0"),
}
"""Class of the job, language, and how the program writes."""

JOBS = """\
from time import monotonic

from fission.core.jobs import ExecutableJob, MARVELOJob, PythonJob


class Source(PythonJob):
    def run(self):
        for number in range({blocks}):
            yield number.to_bytes({size}, "little")


class Copy({kind}):
    DEPENDENCIES = "source"
    EXECUTABLE = "{executable}"
    PARAMETERS = {parameters}


class Sink(PythonJob):
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.expected = 0
        self.began = 0.0

    def run(self, block):
        if int.from_bytes(block, "little") != self.expected:
            raise ValueError(self.expected)
        if not self.expected:
            self.began = monotonic()
        self.expected += 1

    def teardown(self):
        print("rate", (self.expected - 1) / (monotonic() - self.began))
"""

CONFIG = """\
from fission.core.pipes import BytesPipe

from copying.jobs.jobs import Copy, Sink, Source

JOBS = [
    Source(outputs=[BytesPipe(1, {size})]),
    Copy(inputs=[BytesPipe(1, {size})], outputs=[BytesPipe(2, {size})]),
    Sink(inputs=[BytesPipe(2, {size})]),
]
"""


def write_project(folder: Path, subject: str, blocks: int, size: int) -> None:
    """Make the project for one kind of program, in place of the one before."""
    kind, language, detail = SUBJECTS[subject]
    shutil.rmtree(folder / "project", ignore_errors=True)
    root = start_project(folder, "project")
    start_network(root, "copying")
    source = root / "copying" / "source"
    if language == "c":
        (source / "copy.c").write_text(C_PROGRAM)
        flush = f"-DFLUSH={detail or '(void)0'}"
        compiler = shutil.which("gcc") or shutil.which("cc") or "gcc"
        subprocess.run([compiler, "-O2", flush, "-o", "copy", "copy.c"], cwd=source, check=True)
        executable, parameters = "./copy", []
    else:
        (source / "copy.py").write_text(PYTHON_PROGRAM.replace("BUFFERING", detail))
        executable, parameters = sys.executable, ["copy.py"]
    text = JOBS.format(
        blocks=blocks,
        size=size,
        kind=kind,
        executable=executable,
        parameters=repr([*parameters, "-s", str(size)]),
    )
    (root / "copying" / "jobs" / "jobs.py").write_text(text)
    (root / "copying" / "config.py").write_text(CONFIG.format(size=size))


def rate(folder: Path) -> float:
    """Run the network to its end; return blocks per second, as its sink has counted them."""
    fission = Path(sys.executable).with_name("fission")
    command = [str(fission), "simulate", "copying", "--until-finished"]
    done = subprocess.run(
        command, cwd=folder / "project", capture_output=True, text=True, timeout=600, check=False
    )
    for line in done.stdout.splitlines():
        if " | rate " in line:
            return float(line.rpartition(" ")[2])
    raise RuntimeError(f"no figure:\n{done.stdout}{done.stderr}")
