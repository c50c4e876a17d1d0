"""Rates of a running network, from two of its views."""

from collections.abc import Mapping
from typing import Any

__all__ = ["block_rates", "pipe_rates"]


def block_rates(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[int, float]:
    """Return for each pipe the delivered blocks per second between two plain views of one run.

    A pipe has no entry when it is in one of the views only, or when its counter began anew because its job was restarted.
    The result is empty for views of different runs, and for views of the same moment.
    """
    seconds = now["seconds"] - before["seconds"]
    if now["run"] != before["run"] or seconds <= 0:
        return {}
    earlier = {pipe["id"]: pipe["delivered"] for pipe in before["pipes"]}
    return {
        pipe["id"]: (pipe["delivered"] - earlier[pipe["id"]]) / seconds
        for pipe in now["pipes"]
        if pipe["id"] in earlier and pipe["delivered"] >= earlier[pipe["id"]]
    }


def pipe_rates(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[int, tuple[float, float]]:
    """Return for each pipe the sent blocks and bytes per second between two plain views of one run, as `block_rates` does."""
    seconds = now["seconds"] - before["seconds"]
    if now["run"] != before["run"] or seconds <= 0:
        return {}
    earlier = {pipe["id"]: pipe for pipe in before["pipes"]}
    return {
        pipe["id"]: tuple((pipe[name] - earlier[pipe["id"]][name]) / seconds for name in ("sent", "bytes"))
        for pipe in now["pipes"]
        if pipe["id"] in earlier
        and all(pipe[name] >= earlier[pipe["id"]][name] for name in ("sent", "bytes"))
    }
