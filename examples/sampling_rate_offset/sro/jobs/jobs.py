"""Two microphones, frames, two correlations, an estimate: in the order in which the sound goes through them."""

import numpy as np

from fission.core.jobs import PythonJob
from sro.sound import RATE, sound_at

BLOCK = 2048  # samples that a microphone sends at once, and by which frames move on
FRAME = 4 * BLOCK  # samples of a frame
APART = 32  # frames (4.1 s) between those that are compared: the longer, the more the clocks have drifted


class Microphone(PythonJob):
    """A microphone with a clock of its own, which runs `ppm` too fast. It hears the sound `delay` samples late.

    A real one would read its sound card here. This one computes what the card would give, faster than it sounds.
    """

    def __init__(self, ppm, delay, snr, seconds, outputs):
        super().__init__(outputs=outputs)
        self.rate = 1 + ppm * 1e-6  # samples that it takes while a right clock takes one
        self.delay = delay
        self.snr = snr  # decibels by which the sound is louder than the noise of the microphone
        self.blocks = int(seconds * RATE / BLOCK)
        self.sent = 0

    def run(self):
        samples = self.sent * BLOCK + np.arange(BLOCK)
        heard = sound_at(samples / self.rate - self.delay)
        own = np.random.default_rng([self.id, self.sent]).standard_normal(BLOCK)
        self.sent += 1
        if self.sent == self.blocks:
            self.finish()
        return heard + 10 ** (-self.snr / 20) * own

    def snapshot(self):
        """With this and `restore` a microphone that has failed goes on where it was: nothing is lost."""
        return self.sent

    def restore(self, sent):
        self.sent = sent


class Frames(PythonJob):
    """Cut the stream into windowed frames that overlap by three quarters; return the spectrum of each."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.frame = np.zeros(FRAME)

    def run(self, block):
        self.frame = np.append(self.frame[BLOCK:], block)
        return np.fft.rfft(np.hanning(FRAME) * self.frame)


class FirstCorrelation(PythonJob):
    """By how much is one microphone behind the other now? The correlation of their frames knows.

    A correlation is a product of spectra. Only its phases are kept (PhaT): a delay is a phase that grows with the
    frequency, however loud each frequency is. Nobody needs to look for the delay itself: it is made of the way of
    the sound, which we do not know, and of the drift of the clocks, which we want to know.
    """

    def run(self, reference, other):
        product = other * reference.conj()
        return product / np.maximum(np.abs(product), 1e-12)


class SecondCorrelation(PythonJob):
    """By how much more is it behind than it was APART frames ago?

    Correlating the two first correlations shifts the unknown way of the sound out of the way. What is left is the
    drift alone, and that is the same all the time, so we may average over everything that we have seen.
    """

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.past = []
        self.sum = np.zeros(FRAME // 2 + 1, dtype=complex)

    def run(self, first):
        self.past.append(first)
        if len(self.past) > APART + FRAME // BLOCK:  # the first frames begin with silence
            self.sum += first * self.past[-1 - APART].conj()
            del self.past[0]
        return self.sum


class Estimate(PythonJob):
    """The drift is where the second correlation has its peak. Return seconds and parts per million (ppm)."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.frames = 0

    def run(self, spectrum):
        self.frames += 1
        seconds = self.frames * BLOCK / RATE
        drift = peak(spectrum) / (APART * BLOCK)  # samples per sample
        ppm = 1e6 * drift / (1 - drift)  # the drift is counted in samples of the other clock
        if self.frames % 20 == 0 and spectrum.any():
            print(f"after {seconds:4.1f} s: the other clock runs {ppm:.2f} ppm too fast")
        return round(seconds, 3), round(ppm, 4)  # a tuple: one item per output


def peak(spectrum):
    """The shift, in fractions of a sample, at which the correlation with this spectrum is largest."""
    correlation = np.fft.irfft(spectrum)
    middle = int(np.argmax(correlation))
    middle -= len(correlation) * (middle > len(correlation) // 2)  # the second half are negative shifts
    turning = 2j * np.pi * np.arange(len(spectrum)) / len(correlation)

    def height(shift):
        return (spectrum * np.exp(turning * shift)).real.sum()

    low, high = middle - 1.0, middle + 1.0
    golden = (5**0.5 - 1) / 2
    while high - low > 1e-5:  # golden section search: the peak stays between low and high
        step = golden * (high - low)
        if height(high - step) > height(low + step):
            high = low + step
        else:
            low = high - step
    return (low + high) / 2
