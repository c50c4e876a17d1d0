"""The jobs of the separation network, in the order in which the sound goes through them.

Blocks of sound are arrays: one row per microphone or voice, one column per sample.

FOBI has to hear the recording three times. Which time it is travels with every block, as a bit in its head:

1. learn the covariance of the microphones          (Whitening)
2. learn the second covariance, of the white sound  (SecondCovariance)
3. separate, and write down the result              (WavSink, SdrSink)
"""

import wave
from pathlib import Path

import numpy as np

from fission.core.jobs import LocalJob, PythonJob
from separation.sdr import best_si_sdr

# Bits of the head. 0, 1 and 2 belong to the system; the others are ours.
LEARN_COVARIANCE = 3
LEARN_SECOND_COVARIANCE = 4
SEPARATE = 5


class WavSource(PythonJob):
    """Play a WAV file (16 bit) block by block, three times, then finish."""

    HEAD = True  # we set bits of the head
    DEPENDENCIES = "source"  # the files of this folder will lie in the job's working directory
    PASSES = (LEARN_COVARIANCE, LEARN_SECOND_COVARIANCE, SEPARATE)

    def __init__(self, path, block_size, outputs):
        super().__init__(outputs=outputs)
        self.path = path
        self.block_size = block_size  # samples per block
        self.playing = 0  # index in PASSES
        self.position = 0  # samples of this pass that have been played

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.wav = open_wav(self.path)
        if self.wav.getnchannels() != 2:
            raise ValueError(f"{self.path} has {self.wav.getnchannels()} channels; 2 microphones are needed")

    def run(self):
        self.head[self.PASSES[self.playing]] = 1
        self.wav.setpos(self.position)
        block = read_samples(self.wav, self.block_size)
        self.position += block.shape[1]
        if self.position == self.wav.getnframes():  # played to the end: rewind
            self.position = 0
            self.playing += 1
            if self.playing == len(self.PASSES):
                self.finish()  # this block is the last one
        return block


class Whitening(PythonJob):
    """Learn the covariance of the microphones; make them uncorrelated, with unit power."""

    HEAD = True  # we read bits of the head

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.samples = 0
        self.sum = np.zeros((2, 1))
        self.products = np.zeros((2, 2))

    def run(self, sound):
        if self.head[LEARN_COVARIANCE]:
            self.samples += sound.shape[1]
            self.sum += sound.sum(axis=1, keepdims=True)
            self.products += sound @ sound.T
        mean = self.sum / self.samples
        covariance = self.products / self.samples - mean @ mean.T
        return inverse_square_root(covariance) @ (sound - mean)  # one value: goes to every output


class Norm(PythonJob):
    """The squared length of every white sample: how loud it is."""

    def run(self, white):
        return (white**2).sum(axis=0)


class SecondCovariance(PythonJob):
    """Learn the covariance of the white sound once more, in which loud samples count more."""

    HEAD = True

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.samples = 0
        self.products = np.zeros((2, 2))

    def run(self, white, norm):
        if self.head[LEARN_SECOND_COVARIANCE]:
            self.samples += white.shape[1]
            self.products += (white * norm) @ white.T
        return self.products / max(self.samples, 1)


class Output(PythonJob):
    """Turn the white sound so that each row is one voice: along the eigenvectors of the second covariance."""

    def run(self, white, second_covariance):
        _, vectors = np.linalg.eigh(second_covariance)
        vectors = vectors[:, ::-1]  # the most peaked voice first
        vectors = vectors * np.sign(vectors.sum(axis=0))  # an eigenvector may point either way: choose one
        first, second = vectors.T @ white
        return first, second, first, second  # a tuple: one item per output


class WavSink(LocalJob, PythonJob):
    """Write one voice to a WAV file in the job's folder."""

    HEAD = True
    VOLUME = 0.1  # the voices have unit power; this leaves room for their peaks

    def __init__(self, path, rate, inputs):
        super().__init__(inputs)
        self.path = path
        self.rate = rate  # samples per second

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.wav = wave.open(self.path, "wb")
        self.wav.setnchannels(1)
        self.wav.setsampwidth(2)
        self.wav.setframerate(self.rate)

    def run(self, voice):
        if self.head[SEPARATE]:
            loudness = np.clip(self.VOLUME * voice, -1, 1)
            self.wav.writeframes((32767 * loudness).round().astype("<i2").tobytes())

    def teardown(self):
        """Called once, after the last round."""
        self.wav.close()
        super().teardown()


class SdrSink(LocalJob, PythonJob):
    """Collect both voices; at the end, say how well they are separated.

    The exact samples go to `separated.npy` (a WAV file rounds them to 16 bit).
    """

    HEAD = True
    DEPENDENCIES = "source"

    def __init__(self, mixture, talkers, inputs):
        super().__init__(inputs)
        self.mixture = mixture
        self.talkers = talkers
        self.blocks = []

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.microphones = read_wav(self.mixture)
        self.said = np.concatenate([read_wav(path) for path in self.talkers])

    def run(self, first, second):
        if self.head[SEPARATE]:
            self.blocks.append(np.stack([first, second]))

    def teardown(self):
        heard = sum(block.shape[1] for block in self.blocks)
        if heard and heard == self.said.shape[1]:  # else the network was stopped early
            voices = np.concatenate(self.blocks, axis=1)
            np.save("separated.npy", voices)
            before, after = best_si_sdr(self.microphones, self.said), best_si_sdr(voices, self.said)
            for path, microphone, voice in zip(self.talkers, before, after, strict=True):
                print(f"{path}: SI-SDR {microphone:4.1f} dB in the mixture, {voice:4.1f} dB after separation")
        super().teardown()


def open_wav(path):
    """Open a WAV file of 16 bit; say clearly what is wrong if that does not work."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no recording {path} in separation/source: make_recordings.py makes it")
    wav = wave.open(str(path), "rb")
    if wav.getsampwidth() != 2:
        raise ValueError(f"{path} has {8 * wav.getsampwidth()} bit per sample; this example reads 16 bit")
    return wav


def read_samples(wav, count):
    """Read up to `count` samples: one row per channel, values from -1 to 1."""
    samples = np.frombuffer(wav.readframes(count), dtype="<i2")
    return samples.reshape(-1, wav.getnchannels()).T / 32768


def read_wav(path):
    """Read a whole WAV file."""
    with open_wav(path) as wav:
        return read_samples(wav, wav.getnframes())


def inverse_square_root(matrix):
    """The symmetric matrix whose square is the inverse of `matrix` (symmetric, positive)."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, 1e-12)  # silence has no inverse
    return vectors @ np.diag(values**-0.5) @ vectors.T
