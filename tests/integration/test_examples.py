"""The examples as a newcomer runs them: `python3 manage.py NETWORK simulate`, in a copy."""

import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from fission.project.scaffold import start_network, start_project

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = {"tutorial": "demo_network_v1", "separation": "separation"}


def copy(example: str, folder: Path) -> Path:
    project = folder / example
    shutil.copytree(EXAMPLES / example, project, ignore=shutil.ignore_patterns("simulation", "__pycache__"))
    return project


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )


def simulate(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(project, "manage.py", NETWORKS[project.name], "simulate", *options)


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2") / 32768


def test_the_tutorial_multiplies_and_adds_up(tmp_path: Path) -> None:
    result = simulate(copy("tutorial", tmp_path), "--for", "6s")
    assert result.returncode == 0, result.stderr
    sums = re.findall(r"ReduceJob 5 *\| (.*)", result.stdout)
    assert sums[0] == "5 -> Sum over [1, 8, 27, 64, 125] is 225"
    for source in (1, 2, 3):
        counted = re.findall(rf"SourceJob {source} *\| {source} -> (\d+)", result.stdout)
        assert counted[:5] == ["1", "2", "3", "4", "5"]


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


@pytest.mark.parametrize(("example", "network"), NETWORKS.items())
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
