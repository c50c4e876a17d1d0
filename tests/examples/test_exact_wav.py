"""The exact WAV sink of the page on recordings, over a restart between two checkpoints."""

import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fission.runtime.checkpointing.state import SavedState

PAGE = Path(__file__).parents[2] / "docs/how-to/recordings.md"


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the page; the working directory is that of its job."""
    monkeypatch.chdir(tmp_path)
    code = re.findall(
        r'```python title="tape/jobs/exact.py"\n(.*?)```', PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code[0], names)
    return names["ExactWavSink"]


def quiet(_level: int, text: str) -> None:
    raise AssertionError(text)


def blocks(count: int) -> list[np.ndarray]:
    return [np.full((100, 2), number / 100) for number in range(count)]


def read() -> np.ndarray:
    with wave.open("out.wav") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16000)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)


def expected(count: int) -> np.ndarray:
    return (np.concatenate(blocks(count)) * 32767).astype("<i2")


def test_a_recording_is_written_with_its_header(sink: Any) -> None:
    job = sink()
    job.setup()
    for block in blocks(5):
        job.run(block)
    job.teardown()
    np.testing.assert_array_equal(read(), expected(5))


@pytest.mark.parametrize("checkpoint", [0, 1, 3])
def test_nothing_is_missing_and_nothing_comes_twice_after_a_kill(sink: Any, checkpoint: int) -> None:
    job = sink()
    job.setup()
    state = SavedState(job, quiet)
    stored = state.capture()
    for number, block in enumerate(blocks(4), start=1):
        job.run(block)
        if number == checkpoint:
            stored = state.capture()
    job.out.close()  # killed: no teardown
    successor = sink()
    successor.resumed = True
    successor.setup()
    SavedState(successor, quiet).restore(stored)
    for block in blocks(8)[checkpoint:]:
        successor.run(block)
    successor.teardown()
    np.testing.assert_array_equal(read(), expected(8))
