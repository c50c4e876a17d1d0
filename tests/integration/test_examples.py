"""The examples as a newcomer runs them: `python3 manage.py NETWORK simulate`, in a copy."""

import csv
import re
import shutil
import signal
import subprocess
import sys
import threading
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from fission.project.scaffold import start_network, start_project
from kits.waiting import DEADLINE, wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = {"tutorial": "demo_network_v1", "separation": "separation", "sampling_rate_offset": "sro"}
"""The one that is simulated when no other is named."""
LEFT_BEHIND = shutil.ignore_patterns("simulation", "local", ".fission", ".emulate", "__pycache__")
ALL = sorted((path.parts[-3], path.parts[-2]) for path in EXAMPLES.glob("*/*/config.py"))


def copy(example: str, folder: Path, *, pace: int = 1) -> Path:
    """Copy an example; its jobs sleep `pace` times less than those of the original."""
    project = folder / example
    shutil.copytree(EXAMPLES / example, project, ignore=LEFT_BEHIND)
    for jobs in project.glob("*/jobs/jobs.py"):
        jobs.write_text(jobs.read_text().replace("time.sleep(", f"time.sleep(1 / {pace} * "))
    return project


def run(project: Path, *command: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        input=typed,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def simulate(project: Path, *options: str, network: str = "") -> subprocess.CompletedProcess[str]:
    return run(project, "manage.py", network or NETWORKS[project.name], "simulate", *options)


def simulate_until(project: Path, *wanted: str, network: str = "") -> str:
    """Simulate until a line for every wanted regular expression is printed, then press Ctrl+C; return all lines."""
    command = [sys.executable, "manage.py", network or NETWORKS[project.name], "simulate"]
    missing, lines = set(wanted), []
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        deadline = threading.Timer(DEADLINE, process.kill)
        deadline.start()
        for line in process.stdout or ():
            lines.append(line)
            found = {pattern for pattern in missing if re.search(pattern, line)}
            if found and not (missing := missing - found):
                process.send_signal(signal.SIGINT)
        process.wait()
        deadline.cancel()
    assert (process.returncode, missing) == (0, set()), "".join(lines)
    return "".join(lines)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2") / 32768


def test_the_tutorial_multiplies_and_adds_up(tmp_path: Path) -> None:
    counts = [rf"SourceJob {source} *\| {source} -> 5$" for source in (1, 2, 3)]
    printed = simulate_until(copy("tutorial", tmp_path, pace=10), "Sum over", *counts)
    sums = re.findall(r"ReduceJob 5 *\| (.*)", printed)
    assert sums[0] == "5 -> Sum over [1, 8, 27, 64, 125] is 225"
    for source in (1, 2, 3):
        counted = re.findall(rf"SourceJob {source} *\| {source} -> (\d+)", printed)
        assert counted[:5] == ["1", "2", "3", "4", "5"]


def test_the_tutorial_with_arguments_and_any_number_of_inputs(tmp_path: Path) -> None:
    project = copy("tutorial", tmp_path, pace=10)
    printed = simulate_until(project, "Sum over", r"2 -> 8$", network="demo_network_v2")
    sums = re.findall(r"ReduceJob 5 \| 5 -> (.*)", printed)
    assert sums[0] == "Sum over [6, 48, 162, 384, 750] is 1350"
    assert re.findall(r"SourceJob 2 \| 2 -> (\d+)", printed)[:4] == ["2", "4", "6", "8"]


def test_the_tutorial_that_writes_files(tmp_path: Path) -> None:
    project = copy("tutorial", tmp_path, pace=10)
    simulation = project / "demo_network_v3" / "simulation"
    sums = simulation / "7" / "sums.csv"
    command = [sys.executable, "manage.py", "demo_network_v3", "simulate"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: sums.exists() and len(read_csv(sums)) > 1, "a sum")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 0
    header, *rows = read_csv(simulation / "6" / "values.csv")
    assert header == ["pipe_201", "pipe_202", "pipe_203", "pipe_205"]
    assert len(rows) >= 5
    expected = [[n, 2 * n, 3 * n, 6 * n**3] for n in range(1, len(rows) + 1)]
    assert rows == [[str(number) for number in row] for row in expected]
    assert read_csv(sums)[:2] == [["sum_of_pipe_301"], ["1350"]]


def test_the_tutorial_in_which_a_person_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    project = copy("tutorial", tmp_path, pace=10)
    simulation = project / "demo_network_v4" / "simulation"
    values = simulation / "7" / "values.csv"
    command = [sys.executable, "manage.py", "demo_network_v4", "simulate"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_for((simulation / "1" / "interact.sock").exists, "the job waits for lines")
            wait_for(lambda: values.exists() and len(read_csv(values)) > 1, "a product")
            command = [sys.executable, "manage.py", "demo_network_v4", "interact"]
            typed = subprocess.run(
                command, cwd=project, input="/\n+\n", capture_output=True, text=True, timeout=60, check=False
            )
            assert typed.returncode == 1
            assert "not sent: ValueError: there is no operator '/'" in typed.stdout
            wait_for(lambda: read_csv(values)[-1][3] == "+", "a sum")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 0
    header, *rows = read_csv(values)
    assert header == ["pipe_201", "pipe_202", "pipe_203", "pipe_204", "pipe_205"]
    signs = "".join(row[3] for row in rows)
    assert re.fullmatch(r"\*+\++", signs)
    for n, (*numbers, sign, result) in enumerate(rows, start=1):
        assert numbers == [str(n), str(2 * n), str(3 * n)]
        assert result == str(6 * n if sign == "+" else 6 * n**3)


@pytest.mark.parametrize(
    ("example", "network", "count"), [("tutorial", "demo_network_v4", 9), ("from_xml", "exchange", 2)]
)
def test_examples_have_tests(tmp_path: Path, example: str, network: str, count: int) -> None:
    result = run(copy(example, tmp_path), "manage.py", network, "test", "-q")
    assert result.returncode == 0, result.stdout
    assert f"{count} passed" in result.stdout


def test_a_source_and_a_file(tmp_path: Path) -> None:
    project = copy("small", tmp_path)
    result = simulate(project, "--for", "2s", network="source_to_csv")
    assert result.returncode == 0, result.stderr
    header, *rows = read_csv(project / "source_to_csv" / "simulation" / "2" / "numbers.csv")
    assert header == ["pipe_1"]
    assert rows
    assert rows == [[str(5 * n)] for n in range(len(rows))]


def test_an_operator_that_nobody_waits_for(tmp_path: Path) -> None:
    project = copy("small", tmp_path, pace=4)
    printed = simulate_until(project, r"\| \d+ - \d+ =", network="optional_operator")
    lines = re.findall(r"Calculator 4 +\| (\d+) ([-+*]) (\d+) = (-?\d+)", printed)
    calculate = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
    for n, (left, sign, right, value) in enumerate(lines, start=1):
        assert (int(left), int(right)) == (n, n + 9)
        assert int(value) == calculate[sign](n, n + 9)
    used = [sign for _, sign, _, _ in lines]
    assert used[0] == "+"
    assert [sign for before, sign in pairwise(used) if sign != before][:2] == ["*", "-"]


def test_a_bit_that_changes_what_is_written(tmp_path: Path) -> None:
    project = copy("small", tmp_path)
    simulate_until(project, "!! 77.0 F", network="head_bit")
    lines = (project / "head_bit" / "simulation" / "3" / "protocol.txt").read_text().splitlines()
    assert lines[:6] == ["68.0 F", "69.8 F", "71.6 F", "73.4 F", "!! 75.2 F TOO HOT", "!! 77.0 F TOO HOT"]
    for line in lines:
        assert line.startswith("!!") == (float(line.split(" F")[0].strip("! ")) > 75)


@pytest.mark.parametrize("language", ["python", "c"])
def test_a_program_adds_up_what_somebody_types(tmp_path: Path, language: str) -> None:
    project = copy("programs", tmp_path)
    if language == "c":
        if shutil.which("cc") is None:
            pytest.skip("there is no C compiler")
        source = project / "running_sum" / "source"
        subprocess.run(
            ["cc", "-O2", "-o", "running_sum", "running_sum.c"], cwd=source, check=True, timeout=60
        )
        jobs = project / "running_sum" / "jobs" / "jobs.py"
        text = jobs.read_text().replace('"python3"', '"running_sum"')
        jobs.write_text(text.replace('PARAMETERS = "running_sum.py"', ""))
    command = [sys.executable, "manage.py", "running_sum", "simulate"]
    running = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        assert any("fission interact running_sum 1" in line for line in lines)
        typed = run(project, "manage.py", "running_sum", "interact", typed="5\nfive\n37\n")
        assert "not sent: ValueError: invalid literal for int() with base 10: 'five'" in typed.stdout
        wanted = {"RunningSum 2 | + 37 = 42\n", "Show 3       | the sum is 42\n"}
        while wanted:
            wanted.discard(next(lines))
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    finally:
        running.kill()
        running.communicate()
    assert read_csv(project / "running_sum" / "simulation" / "4" / "numbers.csv") == [
        ["pipe_3"],
        ["5"],
        ["37"],
    ]


def test_two_programs_from_xml(tmp_path: Path) -> None:
    project = copy("from_xml", tmp_path)
    source = project / "exchange" / "network.xml"
    source.write_text(source.read_text().replace("--pause 0.2", "--pause 0.02 --blocks 20"))
    result = simulate(project, "--until-finished", network="exchange")
    assert result.returncode == 0, result.stderr
    lines = re.findall(r"DynamicMARVELOJob 2 \| average of (.*): (-?[\d.]+)$", result.stdout, re.MULTILINE)
    assert len(lines) == 20
    values = [float(value) for text, _ in lines for value in text.split(", ")]
    np.testing.assert_allclose(values, np.sin(0.3 * np.arange(100)), atol=1e-3)
    for text, average in lines:
        assert float(average) == pytest.approx(
            np.mean([float(value) for value in text.split(", ")]), abs=1e-3
        )


def test_the_sampling_rate_offset_is_found_within_a_ppm_and_a_half(tmp_path: Path) -> None:
    project = copy("sampling_rate_offset", tmp_path)
    result = simulate(project, "--until-finished")
    assert result.returncode == 0, result.stderr
    header, *rows = read_csv(project / "sro" / "simulation" / "8" / "offset.csv")
    assert header == ["pipe_107", "pipe_108"]
    assert float(rows[-1][0]) > 15
    late = [float(ppm) for seconds, ppm in rows if float(seconds) > 8]
    assert all(abs(ppm - 83.4) < 1.5 for ppm in late)


def test_a_node_dies_and_the_offset_is_the_same_to_the_last_digit(tmp_path: Path) -> None:
    project = copy("sampling_rate_offset", tmp_path)
    assert simulate(project, "--until-finished", "--quiet").returncode == 0
    written = project / "sro" / "local" / "8" / "offset.csv"
    command = [sys.executable, "manage.py", "sro", "run", "--embedded", "3", "--until-finished"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            wait_for(lambda: written.exists() and len(read_csv(written)) > 20, "rows", deadline=60)
            services = [
                child for child in psutil.Process(process.pid).children() if child.name() == "fission-node"
            ]
            assert len(services) == 3
            services[1].kill()
            printed, _ = process.communicate(timeout=60)
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0, printed
    assert read_csv(written) == read_csv(project / "sro" / "simulation" / "8" / "offset.csv")


def test_every_example_is_named_on_the_page() -> None:
    page = (EXAMPLES / "README.md").read_text()
    assert {name for name, _ in ALL} == set(re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE))
    for name, network in ALL:
        assert network in (EXAMPLES / name / "README.md").read_text()


@pytest.mark.parametrize(("example", "network"), ALL)
def test_an_example_has_no_problems(tmp_path: Path, example: str, network: str) -> None:
    result = run(copy(example, tmp_path), "manage.py", network, "check")
    assert result.returncode == 0
    assert "no problems" in result.stdout


def test_the_separation_equals_fobi_in_one_process(tmp_path: Path) -> None:
    project = copy("separation", tmp_path)
    result = simulate(project, "--until-finished")
    assert result.returncode == 0, result.stderr
    code = "import numpy, reference as r; numpy.save('e', r.fobi(r.read_wav(r.SOURCE / 'mixture.wav')))"
    assert run(project, "-c", code).returncode == 0
    expected = np.load(project / "e.npy")
    simulation = project / "separation" / "simulation"
    np.testing.assert_allclose(np.load(simulation / "8" / "separated.npy"), expected, rtol=0, atol=1e-9)
    for voice, path in zip(expected, ("6/voice_1.wav", "7/voice_2.wav"), strict=True):
        np.testing.assert_allclose(
            read_wav(simulation / path), np.clip(0.1 * voice, -1, 1), rtol=0, atol=1e-4
        )

    compared = run(project, "reference.py")
    difference = re.search(r"Largest difference .*: (\S+)", compared.stdout)
    assert difference is not None
    assert float(difference[1]) < 1e-9


def test_the_separation_improves_the_sdr_by_more_than_ten_decibels(tmp_path: Path) -> None:
    result = simulate(copy("separation", tmp_path), "--until-finished")
    scores = re.findall(r"SI-SDR +(-?[\d.]+) dB in the mixture, +(-?[\d.]+) dB after", result.stdout)
    assert len(scores) == 2
    for before, after in scores:
        assert float(after) - float(before) > 10


@pytest.mark.parametrize(("missing", "job"), [("mixture.wav", "WavSource 1"), ("talker_2.wav", "SdrSink 8")])
def test_a_missing_recording_is_told_in_one_line(tmp_path: Path, missing: str, job: str) -> None:
    project = copy("separation", tmp_path)
    (project / "separation" / "source" / missing).unlink()
    if missing == "mixture.wav":  # the judge needs it as well, and either may be first to say so
        job = r"(WavSource 1|SdrSink 8)"
    result = simulate(project, "--until-finished")
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert re.search(rf"error: job {job} failed .*setup.*no recording {missing}.*make_recordings\.py", last)


@pytest.mark.parametrize(("example", "network"), ALL)
def test_an_example_has_the_tree_of_a_new_project(tmp_path: Path, example: str, network: str) -> None:
    start_network(start_project(tmp_path, example), network)
    fresh = tmp_path / example
    for path in fresh.rglob("*"):
        assert (EXAMPLES / example / path.relative_to(fresh)).exists(), path
    manage = EXAMPLES / example / "manage.py"
    assert manage.read_text() == (fresh / "manage.py").read_text()
    assert manage.stat().st_mode & 0o111


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_recordings_can_be_made_again(tmp_path: Path) -> None:
    project = copy("separation", tmp_path)
    source = project / "separation" / "source"
    shutil.rmtree(source)
    assert run(project, "make_recordings.py").returncode == 0
    assert sorted(path.name for path in source.iterdir()) == ["mixture.wav", "talker_1.wav", "talker_2.wav"]


def test_every_network_is_named_in_the_docs() -> None:
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text()
    for name, network in ALL:
        assert f"`examples/{name}`" in page
        assert f"`{network}`" in page
