"""How long blocks were on their way between two machines, by their monotonic clocks, which do not jump.

A receiver reports its time at the arrival minus the sender's time when it sent. The client compares its own clock with those of
the nodes, so it knows how far these two are apart.
"""

from collections.abc import Mapping

__all__ = ["with_lags"]

Counters = Mapping[int, Mapping[str, float]]
"""Counters of pipes, by pipe id."""


def with_lags(
    reported: Counters,
    *,
    node: str,
    senders: Mapping[int, tuple[int, str]],
    offsets: Mapping[str, float],
    before: Counters,
) -> dict[int, dict[str, float]]:
    """Return the counters that a job on `node` has reported, with lags in the time of one clock.

    `senders` has the incarnation and the node of the sender of each input; `offsets` how many seconds the monotonic clock of each
    machine is ahead of the client's. An input with a counter `sender`, an incarnation, comes from another machine. Its lag is
    the last known one (`before`) where the clocks were not compared yet, or where the last block came from an earlier
    incarnation of the sender, which may have been on another node.
    """
    corrected = {}
    for pipe, counts in reported.items():
        corrected[pipe] = dict(counts)
        incarnation = corrected[pipe].pop("sender", None)
        if incarnation is None:
            continue
        newest, place = senders.get(pipe, (0, ""))
        here, there = offsets.get(node), offsets.get(place)
        if here is None or there is None or incarnation != newest:
            lag = before.get(pipe, {}).get("lag", 0.0)
        else:
            lag = max(0.0, counts["lag"] + there - here)
        corrected[pipe]["lag"] = lag
    return corrected
