"""A sound that exists at every moment, so that microphones with different clocks can hear the same one."""

import numpy as np

RATE = 16000  # samples per second of a clock that is right
CHUNK = 1 << 14  # noise is drawn in pieces of so many values, any of which can be had without those before it
TAPS = 32  # values of the noise on each side that a moment is made of
BAND = 0.9  # of the frequencies up to half the rate: what lies above could not be sampled cleanly


def sound_at(moments):
    """The sound at these moments, in samples of a right clock: noise between 0 and 7.2 kHz with unit power.

    Band-limited interpolation: each moment is a sum over the noise around it, weighted by a sinc under a Hann window.
    """
    before = np.floor(moments).astype(int)
    indices = before[:, None] + np.arange(1 - TAPS, TAPS + 1)
    distance = moments[:, None] - indices
    window = np.cos(np.pi / 2 * distance / TAPS) ** 2  # 0 where the sum ends
    first, last = indices[0, 0], indices[-1, -1]
    values = noise(first, last + 1)[indices - first]
    return (np.sinc(BAND * distance) * np.sqrt(BAND) * window * values).sum(axis=1)


def noise(first, last):
    """The values `first` to `last - 1` of an endless white noise, the same for everybody who asks."""
    chunks = range(first // CHUNK, (last - 1) // CHUNK + 1)
    drawn = np.concatenate([np.random.default_rng([1, chunk + 2]).standard_normal(CHUNK) for chunk in chunks])
    start = first - chunks[0] * CHUNK
    return drawn[start : start + last - first]
