"""What goes through programs of several languages comes out whole, in order, with the right heads."""

import pytest

from .conftest import Project
from .programs_kit import compiled, install, lines, write

ECHO = """
ins, outs = open_all()
while True:
    data = [exactly(file, 4) for file in ins]
    if not all(data):
        break
    total = sum(int.from_bytes(one, "little", signed=True) for one in data)
    for file in outs:
        file.write(total.to_bytes(4, "little", signed=True))
"""


@pytest.mark.parametrize("kind", ["Program", "Inheriting"])
def test_inputs_are_joined_and_outputs_are_in_order(project: Project, kind: str) -> None:
    write(
        project,
        f"""
        JOBS = [
            Count(outputs=[IntPipe(1)]), Count(outputs=[IntPipe(2)]),
            program("echo.py", kind={kind})(inputs=[IntPipe(1), IntPipe(2)], outputs=[IntPipe(3), IntPipe(4)]),
            Write(inputs=[IntPipe(3), IntPipe(4)]),
        ]
        """,
        echo=ECHO,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 4) == [f"{2 * n} {2 * n}" for n in range(1, 11)]
    assert [path.name for path in (project.simulation / "3").iterdir()] == ["echo.py"], (
        "no named pipe is left"
    )


def test_block_counts_and_many_programs_in_a_row(project: Project) -> None:
    write(
        project,
        """
        Count.LAST = 1000
        JOBS = [
            Count(outputs=[IntPipe(1)]),
            program("echo.py")(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
            program("echo.py", kind=Inheriting)(inputs=[IntPipe(2)], outputs=[FivePipe(3)]),
            program("five.py")(inputs=[FivePipe(3)], outputs=[IntPipe(4)]),
            Write(inputs=[IntPipe(4)]),
        ]
        """,
        jobs="Count.LAST = 1000",
        echo=ECHO,
        five="""
        (file,), (out,) = open_all()
        while data := exactly(file, 20):
            out.write(sum(struct.unpack("<5i", data)).to_bytes(4, "little"))
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 5) == [str(sum(range(n, n + 5))) for n in range(1, 1001, 5)]


def test_a_program_in_c(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Count(outputs=[IntPipe(1)]), Count(outputs=[IntPipe(2)]),
            DynamicMARVELOJob("source", "sum", inputs=[IntPipe(1), IntPipe(2)], outputs=[IntPipe(3)]),
            DynamicExecutableJob("source", "./sum", inputs=[IntPipe(3)], outputs=[IntPipe(4)]),
            Write(inputs=[IntPipe(4)]),
        ]
        """,
        jobs="Count.LAST = 20_000",
    )
    compiled(
        project,
        "sum",
        """
        #include <stdio.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <unistd.h>

        static FILE *opened(const char *name, const char *mode) {
            char *end;
            long fd = strtol(name, &end, 10);
            return *end ? fopen(name, mode) : fdopen((int)fd, mode);
        }

        int main(int argc, char **argv) {
            FILE *in[8], *out = NULL;
            int inputs = 0, flag;
            while ((flag = getopt(argc, argv, "i:o:")) != -1) {
                if (flag == 'i') in[inputs++] = opened(optarg, "rb");
                else out = opened(optarg, "wb");
            }
            for (;;) {
                int32_t total = 0, value;
                for (int i = 0; i < inputs; i++) {
                    if (fread(&value, 4, 1, in[i]) != 1) return 0;
                    total += value;
                }
                fwrite(&total, 4, 1, out);
            }
        }
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 5) == [str(2 * n) for n in range(1, 20_001)]


def test_a_shell_script_with_lines_of_json(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Count(outputs=[JSONPipe(1)]),
            DynamicExecutableJob("source", "double.sh", "3", inputs=[JSONPipe(1)], outputs=[JSONPipe(2)]),
            Write(inputs=[JSONPipe(2)]),
        ]
        """,
    )
    install(
        project,
        "double.sh",
        """#!/bin/sh
factor=$1; shift
while getopts i:o: flag; do
    case $flag in i) exec 3<"$OPTARG";; o) exec 4>"$OPTARG";; esac
done
while read -r value <&3; do
    echo "[$value, $((value * factor))]" >&4
done
""",
        executable=True,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == [f"[{n}, {3 * n}]" for n in range(1, 11)]


def test_a_filter_of_standard_input(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Words(outputs=[JSONPipe(1)]),
            UpperJob(inputs=[JSONPipe(1)], outputs=[JSONPipe(2)]),
            Write(inputs=[JSONPipe(2)]),
        ]
        """,
        jobs="""
        class Words(PythonJob):
            def run(self):
                yield from ("some", "words")

        class UpperJob(ExecutableJob):
            EXECUTABLE = "sh"
            PARAMETERS = ["-c", 'exec stdbuf -oL tr a-z A-Z <"$1" >"$2"', "upper"]
            INPUT_FLAG = OUTPUT_FLAG = ""
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == ["SOME", "WORDS"]


def test_sources_and_sinks_are_programs(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            program("numbers.py", "1000")(outputs=[IntPipe(1), IntPipe(2)]),
            program("write.py", kind=Inheriting)(inputs=[IntPipe(1), IntPipe(2)]),
        ]
        """,
        numbers="""
        _, outs = open_all()
        for n in range(1, int(sys.argv[1]) + 1):
            for out in outs:
                out.write(n.to_bytes(4, "little"))
        """.replace("sys.argv[1]", "rest[0]"),
        write="""
        ins, _ = open_all()
        with open("out.txt", "w") as out:
            while all(data := [exactly(file, 4) for file in ins]):
                print(*(int.from_bytes(one, "little") for one in data), file=out)
        """,
    )
    config = project.root / "net" / "source" / "numbers.py"
    config.write_text(
        config.read_text().replace(
            'getopt.getopt(sys.argv[1:], "i:o:")', 'getopt.gnu_getopt(sys.argv[1:], "i:o:")'
        )
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 2) == [f"{n} {n}" for n in range(1, 1001)]
    assert "1,000" in done.stdout, "rounds of a program are counted"


def test_output_that_comes_late_and_inputs_that_are_read_in_another_order(project: Project) -> None:
    """It reads all of its second input first, and writes nothing before it has read everything."""
    write(
        project,
        """
        JOBS = [
            Count(outputs=[IntPipe(1)]), Count(outputs=[IntPipe(2)]),
            program("late.py")(inputs=[IntPipe(1), IntPipe(2)], outputs=[IntPipe(3)]),
            Write(inputs=[IntPipe(3)]),
        ]
        """,
        jobs="Count.LAST = 300_000",
        late="""
        (first, second), (out,) = open_all()
        def everything(file):
            parts = []
            while part := file.read(1 << 16):
                parts.append(part)
            return b"".join(parts)
        right = everything(second)
        left = everything(first)
        out = os.fdopen(os.dup(out.fileno()), "wb")
        for (a,), (b,) in zip(struct.iter_unpack("<i", left), struct.iter_unpack("<i", right), strict=True):
            out.write((a + b).to_bytes(4, "little"))
        out.flush()
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 4) == [str(2 * n) for n in range(1, 300_001)]


def test_heads_stand_before_each_block(project: Project) -> None:
    write(
        project,
        """
        HEAD_SIZE = 2
        JOBS = [
            Flags(outputs=[PairPipe(1)]),
            program("heads.py", HEAD=True)(inputs=[PairPipe(1)], outputs=[IntPipe(2)]),
            Seen(inputs=[IntPipe(2)]),
        ]
        """,
        jobs="""
        class Flags(PythonJob):
            HEAD = True
            def run(self):
                for n in range(1, 9):
                    self.head[8] = n % 3 == 0
                    self.head[15] = 1
                    if n == 8:
                        self.finish()
                    yield n

        class Seen(PythonJob):
            HEAD = True
            def run(self, value):
                print("seen", value, format(int(self.head), "016b"))
        """,
        pipes="""
        class PairPipe(IntPipe):
            BLOCK_COUNT = 2
        """,
        heads="""
        (file,), (out,) = open_all()
        while data := exactly(file, 12):
            (one, a, two, b) = struct.unpack("<2si2si", data)
            bits = int.from_bytes(one, "big") | int.from_bytes(two, "big") << 1 & 0x1FE
            out.write((bits | 0x4008).to_bytes(2, "big") + (a + b).to_bytes(4, "little"))
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    seen = [line.partition("seen ")[2] for line in done.stdout.splitlines() if "seen " in line]
    # the first has the reset bit, which is not the program's to set; the last the finished bit
    assert seen == [
        "3 0100000000001011",
        "7 0000000010001011",
        "11 0000000100001011",
        "15 0010000000001011",
    ]


def test_a_program_finishes_with_its_head(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Endless(outputs=[IntPipe(1)]),
            program("three.py", HEAD=True)(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
            Write(inputs=[IntPipe(2)]),
        ]
        """,
        jobs="""
        class Endless(PythonJob):
            def run(self):
                return 7
        """,
        three="""
        (file,), (out,) = open_all()
        for n in range(1, 6):
            block = exactly(file, 5)[1:]
            out.write(bytes([0x20 if n == 3 else 0]) + block)
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == ["7", "7", "7"]


PROTOCOLS = {
    "pickles": ("PicklePipe", "pickle.dump(pickle.load(file), out)"),
    "json": ("JSONPipe", 'out.write((json.dumps(json.loads(file.readline())) + "\\n").encode())'),
    "own": (
        "TextPipe",
        "size = exactly(file, 2); out.write(size + exactly(file, int.from_bytes(size, 'big')))",
    ),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("head", [False, True])
def test_protocols_of_variable_length(project: Project, protocol: str, head: bool) -> None:
    pipe, step = PROTOCOLS[protocol]
    write(
        project,
        f"""
        JOBS = [
            Texts(outputs=[{pipe}(1)]),
            program("copy_.py", HEAD={head})(inputs=[{pipe}(1)], outputs=[{pipe}(2)]),
            Check(inputs=[{pipe}(2)]),
        ]
        """,
        jobs="""
        class Texts(PythonJob):
            def run(self):
                for n in range(400):
                    yield chr(97 + n % 26) * (n * n % 60_000)

        class Check(PythonJob):
            count = 0
            def run(self, value):
                n = self.count
                if value != chr(97 + n % 26) * (n * n % 60_000):
                    raise ValueError(n)
                self.count += 1
            def teardown(self):
                print("checked", self.count)
        """,
        pipes="""
        class TextPipe(BasePipe):
            BLOCK_SIZE = "text"
            def pack(self, obj):
                return obj.encode()
            def unpack(self, data):
                return data.decode()
            def write(self, file, data):
                file.write(len(data).to_bytes(2, "big") + data)
            def read(self, file):
                size = int.from_bytes(file.read(2), "big")
                return file.read(size)
            def read_wrapper(self, file):
                size = file.read(2)
                return size + file.read(int.from_bytes(size, "big"))
        """,
        copy_=f"""
        (file,), (out,) = open_all()
        file, out = os.fdopen(os.dup(file.fileno()), "rb"), os.fdopen(os.dup(out.fileno()), "wb")
        while {"True" if not head else "(bits := exactly(file, 1))"}:
            {"if not file.peek(1): break" if not head else "out.write(bits)"}
            {step}
            out.flush()
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert "checked 400" in done.stdout


def test_arrays_are_written_as_their_pipe_writes_them(project: Project) -> None:
    write(
        project,
        """
        import numpy as np
        JOBS = [
            Arrays(outputs=[ArrayPipe(1, "<f4", (3,)), PicklePipe(2)]),
            program("read.py")(inputs=[ArrayPipe(1, "<f4", (3,)), PicklePipe(2)], outputs=[ArrayPipe(3), PicklePipe(4)]),
            Write(inputs=[ArrayPipe(3), PicklePipe(4)]),
        ]
        """,
        jobs="""
        class Arrays(PythonJob):
            def run(self):
                import numpy as np
                for n in range(3):
                    yield np.full(3, n, "<f4"), np.arange(n, 70_000 + n)
        """,
        read="""
        (array, pickles), (out, others) = open_all()
        pickles = os.fdopen(os.dup(pickles.fileno()), "rb")
        import numpy
        while start := exactly(array, 4):
            text, dimensions = struct.unpack("<HH", start)
            block = start + exactly(array, text + 8 * dimensions + 12)
            out.write(block)
            value = pickle.load(pickles)
            os.fdopen(os.dup(others.fileno()), "wb").write(pickle.dumps(value[:2]))
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == ["[0. 0. 0.] [0 1]", "[1. 1. 1.] [1 2]", "[2. 2. 2.] [2 3]"]


def test_what_comes_on_an_optional_input_is_written_when_it_comes(project: Project) -> None:
    write(
        project,
        """
        JOBS = [
            Slow(outputs=[IntPipe(1)]),
            Count(outputs=[KnobPipe(2)]),
            program("both.py")(inputs=[IntPipe(1), KnobPipe(2)], outputs=[IntPipe(3)]),
            Write(inputs=[IntPipe(3)]),
        ]
        """,
        jobs="""
        class Slow(PythonJob):
            def run(self):
                for n in range(3):
                    yield n
                    time.sleep(0.3)
        """,
        pipes="""
        class KnobPipe(OptionalMixIn, IntPipe):
            pass
        """,
        both="""
        import select
        (rounds, knob), (out,) = open_all()
        total = 0
        while data := exactly(rounds, 4):
            while total < 55 and select.select([knob], [], [], 5)[0]:
                total += int.from_bytes(exactly(knob, 4), "little")
            out.write((total + int.from_bytes(data, "little")).to_bytes(4, "little"))
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 4) == ["55", "56", "57"]


def test_a_program_that_writes_one_block_for_many_rounds_goes_on(project: Project) -> None:
    """It has no block for every round, so nothing can be repeated; but its senders must not keep everything."""
    write(
        project,
        """
        JOBS = [
            Count(outputs=[SmallPipe(1)]),
            program("tenth.py")(inputs=[SmallPipe(1)], outputs=[IntPipe(2)]),
            Write(inputs=[IntPipe(2)]),
        ]
        """,
        jobs="Count.LAST = 50_000",
        pipes="""
        class SmallPipe(IntPipe):
            RETAIN = 20_000
        """,
        tenth="""
        (file,), (out,) = open_all()
        while data := exactly(file, 40):
            out.write(data[36:])
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    assert lines(project, 3) == [str(n) for n in range(10, 50_001, 10)]
    assert "as there is not one block for each round" in done.stderr


def test_a_program_that_writes_late_gets_its_live_blocks_all_the_same(project: Project) -> None:
    """It has computed no round when it has read 500; the sender must not wait for that."""
    write(
        project,
        """
        JOBS = [
            Tick(outputs=[LivePipe(1)]),
            program("late.py", MAX_QUEUE=1)(inputs=[LivePipe(1)], outputs=[IntPipe(2)]),
            Write(inputs=[IntPipe(2)]),
        ]
        """,
        jobs="""
        class Tick(PythonJob):
            def run(self):
                for value in range(1, 1501):
                    time.sleep(0.001)
                    yield value
        """,
        pipes="""
        class LivePipe(IntPipe):
            DELIVERY = "live"
        """,
        late="""
        (file,), (out,) = open_all()
        held = b""
        while data := exactly(file, 4):
            held += data
            if len(held) >= 2000:
                out.write(held)
                held = b""
        out.write(held)
        """,
    )
    done = project.simulate("--until-finished")
    assert done.returncode == 0, done.stderr
    found = list(map(int, lines(project, 3)))
    assert len(found) == 1500
    assert any(found), "those that were dropped are zeros; how many is a matter of the machine"
