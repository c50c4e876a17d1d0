"""From what a sink wrote down to the figures of one run. Pure."""

import math
from collections.abc import Sequence


def rate_figures(marks: Sequence[tuple[int, float]], begin: float, end: float) -> dict[str, float]:
    """Blocks per second between the first and last mark (count, time) in begin..end; 0 without two."""
    inside = [mark for mark in marks if begin <= mark[1] <= end]
    if len(inside) < 2 or inside[-1][1] <= inside[0][1]:
        return {"rate": 0.0, "measured_seconds": 0.0}
    (count, start), (last_count, stop) = inside[0], inside[-1]
    return {"rate": (last_count - count) / (stop - start), "measured_seconds": stop - start}


def latency_figures(latencies: Sequence[tuple[float, float]], begin: float) -> dict[str, float]:
    """Percentiles (microseconds) of the latencies (arrival, seconds) that came at `begin` or later."""
    values = sorted(latency * 1e6 for arrival, latency in latencies if arrival >= begin)
    if not values:
        return {"samples": 0}
    return {
        "samples": len(values),
        "p50": percentile(values, 50),
        "p90": percentile(values, 90),
        "p99": percentile(values, 99),
        "max": values[-1],
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of values in ascending order (not empty)."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
