"""The jobs of examples/sampling_rate_offset, driven by hand."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def jobs(sampling_rate_offset: Path) -> ModuleType:
    return importlib.import_module("sro.jobs.jobs")


@pytest.fixture
def sound(sampling_rate_offset: Path) -> ModuleType:
    return importlib.import_module("sro.sound")


def estimate(jobs: ModuleType, *, ppm: float, delay: float, snr: float, seconds: float) -> float:
    """Run every round of the network in the order of its graph; return the last estimate in ppm."""
    microphones = [
        jobs.Microphone(0, 0, snr, seconds, []),
        jobs.Microphone(ppm, delay, snr, seconds, []),
    ]
    frames = [jobs.Frames([], []), jobs.Frames([], [])]
    first, second = jobs.FirstCorrelation(), jobs.SecondCorrelation([], [])
    last = jobs.Estimate([], [])
    for microphone in microphones:
        microphone.finish = lambda: None
    for _ in range(microphones[0].blocks):
        spectra = [job.run(microphone.run()) for job, microphone in zip(frames, microphones, strict=True)]
        spectrum = second.run(first.run(*spectra))
    last.frames = microphones[0].blocks - 1
    return float(last.run(spectrum)[1])


@pytest.mark.parametrize("ppm", [-120.5, -1, 0, 0.3, 50, 83.4, 250])
def test_offsets_are_found_at_30_decibels(jobs: ModuleType, ppm: float) -> None:
    assert abs(estimate(jobs, ppm=ppm, delay=17.3, snr=30, seconds=10) - ppm) < 1.5


@pytest.mark.parametrize(("delay", "snr"), [(-200.7, 30), (0, 10), (17.3, 0)])
def test_neither_the_way_of_the_sound_nor_noise_hinders(jobs: ModuleType, delay: float, snr: float) -> None:
    assert abs(estimate(jobs, ppm=83.4, delay=delay, snr=snr, seconds=20) - 83.4) < 1.5


def test_the_peak_between_two_samples(jobs: ModuleType) -> None:
    turning = -2j * np.pi * np.arange(129) / 256
    for shift in (0, 3.25, -7.75, 100.5):
        assert jobs.peak(np.exp(turning * shift)) == pytest.approx(shift, abs=1e-4)


def test_the_sound_is_the_same_whoever_asks_and_has_unit_power(sound: ModuleType) -> None:
    moments = np.arange(40000.0)
    whole = sound.sound_at(moments)
    np.testing.assert_array_equal(sound.sound_at(moments[16000:17000]), whole[16000:17000])
    assert np.mean(whole**2) == pytest.approx(1, abs=0.05)
    spectrum = np.abs(np.fft.rfft(whole * np.hanning(len(whole)))) ** 2
    above = spectrum[int(0.98 * len(spectrum)) :].sum() / spectrum.sum()
    assert above < 1e-4  # little is left where sampling would fold it


def test_a_microphone_goes_on_where_it_was(jobs: ModuleType) -> None:
    one, other = (jobs.Microphone(5, 1, 30, 9, []) for _ in range(2))
    other.id = one.id
    first = one.run()
    other.restore(one.snapshot())
    np.testing.assert_array_equal(one.run(), other.run())
    assert not np.array_equal(first, one.run())
