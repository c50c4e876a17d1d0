"""The arrays that are sent, and how the sink knows that it got them whole.

Element 0 and the last one carry the sequence number, element 1 the send time of a paced block; the rest is a
fixed pattern of small integers, whose sum is exact in float64.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FULL_CHECK = 256
"""The first block and every so many after it are summed; of each, first and last element are checked."""


def make_array(elements: int) -> "Array":
    """Return the pattern of so many float64, with the three variable elements set to 0."""
    import numpy as np

    array = (np.arange(elements) % 251).astype(np.float64)
    array[0] = array[1] = array[-1] = 0.0
    return array


def pattern_sum(elements: int) -> float:
    """Sum of the elements that do not vary."""
    return float(make_array(elements).sum())


def is_whole(array: "Array", elements: int, fixed_sum: float) -> bool:
    """Whether every element of a received array is what it should be, up to a sum; also dtype and shape."""
    if array.dtype.str != "<f8" or array.shape != (elements,):
        return False
    return float(array[2:-1].sum()) == fixed_sum
