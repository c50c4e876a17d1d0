"""Make the three recordings in separation/source/ again. They are part of the example, so nobody has to.

Two talkers are spoken by espeak-ng (Debian, Ubuntu: `apt install espeak-ng`), brought to 8 kHz (telephone
quality, which keeps the files small), and mixed as if two microphones stood in the room: each microphone
hears both talkers, one louder than the other.

    python3 make_recordings.py

writes talker_1.wav and talker_2.wav (what was said, one channel each) and mixture.wav (what the two
microphones heard, two channels).
"""

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

SOURCE = Path(__file__).parent / "separation" / "source"
RATE = 8000  # samples per second
SECONDS = 6


class Talker(NamedTuple):
    voice: str
    text: str
    words_per_minute: int


# FOBI tells talkers apart by how peaked the distribution of their samples is (their kurtosis), so two very
# similar voices would be hard for it. These two differ well: about 19 and 9.
TALKERS = [
    Talker(
        "en-gb-x-rp",
        "Two people talk at the same time. Two microphones hear both. Can you tell us apart?",
        words_per_minute=165,
    ),
    Talker(
        "en-us+f3",
        "Tomorrow will be cold and windy in the north, with sunny hours along the coast. Bring a coat!",
        words_per_minute=160,
    ),
]

# One row per microphone, one column per talker.
MIXING = np.array([
    [1.0, 0.8],
    [0.7, 1.0],
])  # fmt: skip


def speak(talker: Talker) -> np.ndarray:
    """Let espeak-ng say a text; return SECONDS seconds of it at RATE, with unit power."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        speed = str(talker.words_per_minute)
        command = ["espeak-ng", "-v", talker.voice, "-s", speed, "-w", file.name, talker.text]
        subprocess.run(command, check=True)
        with wave.open(file.name) as wav:
            rate = wav.getframerate()
            spoken = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(float)
    if len(spoken) > SECONDS * rate:
        raise SystemExit(f"{talker.voice} needs {len(spoken) / rate:.2f} of {SECONDS} s: let it speak faster")
    samples = np.zeros(SECONDS * RATE)
    resampled = resample(spoken, rate)
    samples[: len(resampled)] = resampled
    return samples / samples.std()


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Bring samples from `rate` down to RATE: leave out the frequencies that RATE cannot carry."""
    length = len(samples) * RATE // rate
    spectrum = np.fft.rfft(samples)[: length // 2 + 1]
    return np.fft.irfft(spectrum, length) * length / len(samples)


def write_wav(path: Path, channels: np.ndarray) -> None:
    """Write an array of shape (channels, samples), values from -1 to 1, as 16 bit WAV."""
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(len(channels))
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes((channels.T * 32767).round().astype("<i2").tobytes())
    print(f"{path}: {len(channels)} channel(s), {channels.shape[1] / RATE:.1f} s")


def main() -> None:
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng is not installed (Debian, Ubuntu: sudo apt install espeak-ng)")
    talkers = np.stack([speak(talker) for talker in TALKERS])
    mixture = MIXING @ talkers
    loudest = max(np.abs(talkers).max(), np.abs(mixture).max())
    talkers, mixture = 0.9 * talkers / loudest, 0.9 * mixture / loudest

    SOURCE.mkdir(parents=True, exist_ok=True)
    write_wav(SOURCE / "talker_1.wav", talkers[:1])
    write_wav(SOURCE / "talker_2.wav", talkers[1:])
    write_wav(SOURCE / "mixture.wav", mixture)


if __name__ == "__main__":
    main()
