"""Pages that show whole networks work as they are written: files, commands, and what they promise."""

import wave
from pathlib import Path

import numpy as np

from .pages import DOCS, ROOT, expected, follow


def test_readme(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    assert expected(page)
    printed = follow(page, tmp_path, ends=True)
    assert "all jobs have finished" in printed


def test_tutorial(tmp_path: Path) -> None:
    page = DOCS / "tutorial" / "first-network.md"
    assert expected(page)
    follow(page, tmp_path, ends=False)
    simulation = tmp_path / "my_project" / "demo_network_v1" / "simulation"
    assert {entry.name for entry in simulation.iterdir()} == {
        "1",
        "2",
        "3",
        "4",
        "5",
        "info.txt",
        ".lock",
        "fission.log",
        "log.jsonl",
    }


def test_a_script(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "python.md"
    assert expected(page)
    follow(page, tmp_path, ends=True)


def test_programs(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "programs.md"
    assert expected(page)
    follow(page, tmp_path, ends=True)


def test_recordings(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "recordings.md"
    (tmp_path / "manage.py").write_text("# a project of fission\n", encoding="utf-8")
    for folder in ("jobs", "source"):
        (tmp_path / "tape" / folder).mkdir(parents=True)
    recording = np.arange(-5000, 5000, dtype="<i2")
    with wave.open(str(tmp_path / "tape" / "source" / "in.wav"), "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        file.writeframes(recording.tobytes())
    follow(page, tmp_path, ends=True)
    with wave.open(str(tmp_path / "tape" / "simulation" / "2" / "out.wav"), "rb") as file:
        written = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert written.shape == recording.shape
    assert np.abs(written - recording).max() <= 1  # 32768 steps on one side of zero, 32767 on the other
