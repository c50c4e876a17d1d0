"""The jobs of examples/separation, driven by hand, without processes between them."""

import importlib
import shutil
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fission.core.head import Head
from fission.core.pipes import ArrayPipe

PASSES = 3


@pytest.fixture
def jobs(separation: Path) -> ModuleType:
    return importlib.import_module("separation.jobs.jobs")


def pipes(*ids: int) -> list[ArrayPipe]:
    return [ArrayPipe(id_) for id_ in ids]


def separate(jobs: ModuleType, block_size: int) -> np.ndarray:
    """Run every round of the network in the order of its graph; return the voices of the last pass."""
    source = jobs.WavSource("mixture.wav", block_size, outputs=pipes(101))
    whitening = jobs.Whitening(pipes(101), pipes(102, 103, 104))
    norm = jobs.Norm(pipes(102), pipes(105))
    second_covariance = jobs.SecondCovariance(pipes(103, 105), pipes(106))
    output = jobs.Output(pipes(104, 106), pipes(107, 108, 109, 110))
    voices = []

    def compute(job: Any, *args: np.ndarray) -> Any:
        job.head = head
        return job.run(*args)

    source.setup()
    while not source._finishing:
        head = Head(0, 1)
        white = compute(whitening, compute(source))
        matrix = compute(second_covariance, white, compute(norm, white))
        first, second, *_ = compute(output, white, matrix)
        if head[jobs.SEPARATE]:
            voices.append(np.stack([first, second]))
    source.teardown()
    return np.concatenate(voices, axis=1)


@pytest.mark.parametrize("block_size", [800, 4999, 48000, 100_000])
def test_the_jobs_equal_fobi_in_one_process_whatever_the_blocks(jobs: ModuleType, block_size: int) -> None:
    reference = importlib.import_module("reference")
    expected = reference.fobi(jobs.read_wav("mixture.wav"))
    np.testing.assert_allclose(separate(jobs, block_size), expected, rtol=0, atol=1e-9)


def test_the_voices_are_separated_by_more_than_ten_decibels(jobs: ModuleType) -> None:
    sdr = importlib.import_module("separation.sdr")
    talkers = np.concatenate([jobs.read_wav("talker_1.wav"), jobs.read_wav("talker_2.wav")])
    before = sdr.best_si_sdr(jobs.read_wav("mixture.wav"), talkers)
    after = sdr.best_si_sdr(separate(jobs, 800), talkers)
    assert min(np.subtract(after, before)) > 30


def test_the_source_goes_on_where_its_attributes_say(jobs: ModuleType) -> None:
    first = jobs.WavSource("mixture.wav", 800, outputs=pipes(101))
    first.setup()
    blocks = []
    for _ in range(70):
        first.head = Head(0, 1)
        blocks.append(first.run())
    assert (first.playing, first.position) == (1, 10 * 800)

    again = jobs.WavSource("mixture.wav", 800, outputs=pipes(101))
    again.setup()
    again.playing, again.position = 1, 3 * 800
    again.head = Head(0, 1)
    np.testing.assert_array_equal(again.run(), blocks[63])
    assert again.head[jobs.LEARN_SECOND_COVARIANCE]
    first.teardown()
    again.teardown()


def test_the_recordings_are_small_and_are_what_they_claim(jobs: ModuleType, separation: Path) -> None:
    recordings = sorted((separation / "separation" / "source").glob("*.wav"))
    assert sum(path.stat().st_size for path in recordings) < 400_000
    make = (separation / "make_recordings.py").read_text()
    talkers = np.concatenate([jobs.read_wav("talker_1.wav"), jobs.read_wav("talker_2.wav")])
    mixing = np.array([[1.0, 0.8], [0.7, 1.0]])
    assert "[1.0, 0.8]" in make
    assert "[0.7, 1.0]" in make
    np.testing.assert_allclose(jobs.read_wav("mixture.wav"), mixing @ talkers, rtol=0, atol=4 / 32768)


def test_a_missing_recording_is_named_with_what_makes_it(jobs: ModuleType) -> None:
    source = jobs.WavSource("nothing.wav", 800, outputs=pipes(101))
    with pytest.raises(FileNotFoundError, match=r"no recording nothing\.wav .*make_recordings\.py"):
        source.setup()


def test_a_recording_with_one_channel_is_refused(jobs: ModuleType) -> None:
    shutil.copy("talker_1.wav", "mixture.wav")
    source = jobs.WavSource("mixture.wav", 800, outputs=pipes(101))
    with pytest.raises(ValueError, match="1 channels; 2 microphones"):
        source.setup()
    source.wav.close()


def test_a_recording_with_eight_bit_is_refused(jobs: ModuleType) -> None:
    with wave.open("eight.wav", "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(1)
        wav.setframerate(8000)
        wav.writeframes(bytes(16))
    with pytest.raises(ValueError, match="8 bit per sample; this example reads 16"):
        jobs.open_wav("eight.wav")


def test_the_sink_writes_what_is_separated_and_nothing_else(jobs: ModuleType) -> None:
    sink = jobs.WavSink("voice.wav", 8000, inputs=pipes(107))
    sink.setup()
    for bit in (jobs.LEARN_COVARIANCE, jobs.SEPARATE):
        sink.head = Head(0, 1)
        sink.head[bit] = 1
        sink.run(np.array([0.0, 5.0, -5.0, 20.0]))
    sink.teardown()
    with wave.open("voice.wav") as wav:
        assert wav.getparams()[:4] == (1, 2, 8000, 4)
    assert jobs.read_wav("voice.wav")[0] == pytest.approx([0, 0.5, -0.5, 1], abs=1e-4)


def test_the_judge_says_nothing_about_half_a_recording(
    jobs: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = jobs.SdrSink("mixture.wav", ["talker_1.wav", "talker_2.wav"], inputs=pipes(109, 110))
    sink.setup()
    sink.head = Head(0, 1)
    sink.head[jobs.SEPARATE] = 1
    sink.run(np.ones(800), np.ones(800))
    sink.teardown()
    assert capsys.readouterr().out == ""
    assert not Path("separated.npy").exists()
