"""The programs as processes: what only shows there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FISSION = str(Path(sys.executable).with_name("fission"))


def start(*command: str, cwd: Path, **more: object) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True, **more)  # type: ignore[call-overload,no-any-return]


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_a_network_from_nothing_to_its_end(tmp_path: Path) -> None:
    admin = str(Path(sys.executable).with_name("fission_admin.py"))
    assert finish(start(admin, "greenhouse", "startproject", cwd=tmp_path))[0] == 0
    root = tmp_path / "greenhouse"
    assert finish(start(sys.executable, "manage.py", "demo", "startnetwork", cwd=root))[0] == 0
    code, out, err = finish(start(sys.executable, "manage.py", "demo", "check", cwd=root))
    assert (code, err) == (2, "")
    assert "there are no jobs" in out
    (root / "demo/jobs/jobs.py").write_text(
        "from fission.core.jobs import PythonJob\n\n"
        "class One(PythonJob):\n    def run(self):\n        yield from range(3)\n\n"
        "class Two(PythonJob):\n    def run(self, value):\n        print('got', value)\n"
    )
    (root / "demo/config.py").write_text(
        "from demo.jobs.jobs import One, Two\nfrom fission.core.pipes import PicklePipe\n"
        "JOBS = [One(outputs=[PicklePipe(1)]), Two(inputs=[PicklePipe(1)])]\n"
    )
    code, out, err = finish(
        start(sys.executable, "manage.py", "demo", "simulate", "--until-finished", cwd=root)
    )
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if " | " in line] == [f"Two 2 | got {n}" for n in range(3)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("demo", "there is already a folder"),
        ("manage", "the name would hide"),
        ("json", "would hide the standard module"),
    ],
)
def test_names_that_are_taken(root: Path, name: str, text: str) -> None:
    code, out, err = finish(start(sys.executable, "manage.py", name, "startnetwork", cwd=root))
    assert (code, out) == (2, "")
    assert text in err


def test_manage_py_works_from_another_folder(root: Path, tmp_path: Path) -> None:
    code, out, _ = finish(start(sys.executable, str(root / "manage.py"), "demo", "check", cwd=tmp_path))
    assert (code, out) == (0, "demo: 2 jobs, 1 pipe, no nodes: no problems\n")


def test_manage_py_where_fission_is_not_installed(root: Path) -> None:
    code, out, err = finish(start(sys.executable, "-S", "-E", "manage.py", "demo", "check", cwd=root))
    assert (code, out) == (1, "")
    assert err.startswith("error: No module named 'fission'. Is the virtual environment active")
    assert err.count("\n") == 1


def test_ctrl_c_while_loading(root: Path) -> None:
    (root / "demo/config.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(60)")
    process = start(FISSION, "check", "demo", cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, "", "")


@pytest.mark.parametrize("verb", ["simulate", "run"])
def test_ctrl_c_is_how_a_network_is_ended_also_before_it_has_begun(root: Path, verb: str) -> None:
    (root / "demo/config.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(60)")
    for options, end in (
        ((), (0, "stopped by Ctrl+C\n", "")),
        (("--quiet",), (0, "", "")),
        (("--until-finished",), (1, "", "error: Ctrl+C came before all jobs had finished\n")),
    ):
        process = start(FISSION, verb, "demo", *options, cwd=root)
        assert process.stdout is not None
        if verb == "run" and "--quiet" not in options:
            assert process.stdout.readline() == "loads and checks demo\n"
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert finish(process) == end


@pytest.mark.parametrize("arguments", [("check", "--list"), ("graph", "demo", "-f", "mermaid"), ("--help",)])
def test_a_closed_pipe_is_no_news(root: Path, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([FISSION, *arguments], cwd=root, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate(timeout=30)[1] == b""


def test_the_console_reads_what_is_piped_in(root: Path) -> None:
    process = start(FISSION, "interactive", "demo", cwd=root, stdin=subprocess.PIPE)
    out, _ = process.communicate("print([job.name for job in JOBS.values()])\n", timeout=30)
    assert process.returncode == 0
    assert "['SourceJob 1', 'SinkJob 2']" in out


def test_help_is_fast_because_it_loads_little() -> None:
    code = (
        "import sys; sys.argv = ['fission', '--help']\n"
        "from fission.management.cli.fission import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'rich', 'numpy', 'asyncio', 'fission.runtime'} & set(sys.modules)), file=sys.stderr)"
    )
    assert finish(start(sys.executable, "-c", code, cwd=Path.cwd()))[2] == "[]\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["simulate net", "run net --embedded 1"])
def test_closed_standard_streams_are_no_failure(tmp_path: Path, verb: str, closed: str) -> None:
    code, _, err = finish(start(FISSION, "new", "project", "plant", cwd=tmp_path))
    assert code == 0, err
    root = tmp_path / "plant"
    assert finish(start(FISSION, "new", "network", "net", cwd=root))[0] == 0
    config = root / "net" / "config.py"
    jobs = "from fission.core.jobs import CSVSinkJob\nfrom plant_jobs import Ones\n"
    jobs += 'JOBS = [Ones(outputs=[PicklePipe(1)]), CSVSinkJob("out.csv", inputs=[PicklePipe(1)])]\n'
    config.write_text(config.read_text() + jobs)
    (root / "plant_jobs.py").write_text(
        "from fission.core.jobs import PythonJob\n"
        "class Ones(PythonJob):\n"
        "    def run(self):\n"
        "        yield from (1, 2, 3)\n"
    )
    line = f"exec '{FISSION}' {verb} {closed}"
    code, _, err = finish(start("sh", "-c", line, cwd=root))
    assert code == 0, err
    written = next(root.glob("net/*/2/out.csv")).read_text()
    assert written.split()[-3:] == ["1", "2", "3"]
