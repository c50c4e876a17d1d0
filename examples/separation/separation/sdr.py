"""How well is a voice separated? The scale-invariant signal-to-distortion ratio.

J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey: "SDR - half-baked or well done?", ICASSP 2019, equation 3.
"""

from itertools import permutations

import numpy as np


def si_sdr(estimate, reference):
    """The SI-SDR in dB of an estimate (samples) of a reference (as many samples); loudness plays no role."""
    estimate = estimate - estimate.mean()
    reference = reference - reference.mean()
    target = (estimate @ reference) / (reference @ reference) * reference
    distortion = estimate - target
    return 10 * np.log10((target @ target) / (distortion @ distortion))


def best_si_sdr(estimates, references):
    """The SI-SDR of every reference (rows), with the order of the estimates (rows) that is best on average.

    Separation gives the voices in any order, so the best order is the one to judge.
    """
    scores = [
        [si_sdr(estimates[row], reference) for row, reference in zip(order, references, strict=True)]
        for order in permutations(range(len(references)))
    ]
    return max(scores, key=np.mean)
