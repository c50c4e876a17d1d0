import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def sdr(separation: Path) -> ModuleType:
    return importlib.import_module("separation.sdr")


def orthogonal(rows: int) -> np.ndarray:
    """Rows without mean that are orthogonal to one another, with the same power."""
    time = np.arange(1000) / 1000
    return np.stack([np.sin(2 * np.pi * (row + 1) * time) for row in range(rows)])


@pytest.mark.parametrize("loudness", [0.01, 1.0, -30.0])
def test_it_is_the_ratio_of_target_to_distortion_whatever_the_loudness(
    sdr: ModuleType, loudness: float
) -> None:
    reference, noise = orthogonal(2)
    estimate = loudness * (reference + 0.1 * noise)
    assert sdr.si_sdr(estimate, reference) == pytest.approx(20)


def test_a_constant_does_not_count(sdr: ModuleType) -> None:
    reference, noise = orthogonal(2)
    assert sdr.si_sdr(reference + noise + 7, reference - 3) == pytest.approx(0)


def test_the_order_of_the_estimates_does_not_count(sdr: ModuleType) -> None:
    first, second, noise = orthogonal(3)
    swapped = np.stack([second + 0.01 * noise, first + 0.1 * noise])
    assert sdr.best_si_sdr(swapped, np.stack([first, second])) == pytest.approx([20, 40])
