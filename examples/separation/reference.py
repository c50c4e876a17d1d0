"""FOBI in one process, on the whole recording at once: what the network must come to.

J.-F. Cardoso: "Source separation using higher order moments", ICASSP 1989, pages 2109 to 2112.

    python3 reference.py

prints how well it separates, and, after a simulation, how far the network's result is from it. It is written
another way than the jobs (singular values instead of covariances), so that a mistake would show.
"""

from pathlib import Path

import numpy as np

from separation.jobs.jobs import read_wav
from separation.sdr import best_si_sdr

NETWORK = Path(__file__).parent / "separation"
SOURCE = NETWORK / "source"
RESULT = NETWORK / "simulation" / "8" / "separated.npy"


def fobi(mixture: np.ndarray) -> np.ndarray:
    """Separate a mixture, shape (microphones, samples), into voices of unit power, the most peaked first."""
    centered = mixture - mixture.mean(axis=1, keepdims=True)

    # Whiten: with all singular values made equal, the rows are uncorrelated.
    left, _, right = np.linalg.svd(centered, full_matrices=False)
    white = np.sqrt(mixture.shape[1]) * left @ right

    # The second covariance is that of the white samples, each weighted with its length.
    weighted = white * np.linalg.norm(white, axis=0)
    directions, _, _ = np.linalg.svd(weighted, full_matrices=False)

    directions = directions * np.sign(directions.sum(axis=0))  # as in Output: the sign is a matter of taste
    return directions.T @ white


def main() -> None:
    mixture = read_wav(SOURCE / "mixture.wav")
    talkers = np.concatenate([read_wav(SOURCE / "talker_1.wav"), read_wav(SOURCE / "talker_2.wav")])
    voices = fobi(mixture)
    before, after = best_si_sdr(mixture, talkers), best_si_sdr(voices, talkers)
    for number, mixed, separated in zip((1, 2), before, after, strict=True):
        print(
            f"talker_{number}.wav: SI-SDR {mixed:4.1f} dB in the mixture, {separated:4.1f} dB after separation"
        )
    if RESULT.is_file():
        print(f"Largest difference from the network's voices: {np.abs(np.load(RESULT) - voices).max():.1e}")
    else:
        print("To compare the network with this: python3 manage.py separation simulate --until-finished")


if __name__ == "__main__":
    main()
