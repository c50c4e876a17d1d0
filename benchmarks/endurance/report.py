"""Tables of long runs. Pure."""

from benchmarks.endurance.growth import Growths
from benchmarks.endurance.kills import Kills
from benchmarks.endurance.slow import CASE, Slow
from benchmarks.report.tables import Table, described


def tables(kills: Kills | None, slow: Slow | None, machine: dict[str, str]) -> list[Table]:
    """Return the tables of what was run."""
    made = [described(machine)]
    if kills is not None:
        note = (
            f"{kills_verdict(kills)}. Processes of a source, a connector and a sink were killed by chance (kill -9), on two"
            " embedded nodes and the client, three in ten before the stream was back from the one before."
        )
        made.append(_growths(f"{kills.wanted:,} failovers in a row", note, kills.growths, "per 1,000", 1000))
    if slow is not None:
        note = (
            f"{slow_verdict(slow)}. Two embedded nodes, TLS; blocks of {CASE.block}, a sink that sleeps 1 ms for each, a source"
            " that never sleeps."
        )
        title = f"A slow sink for {slow.seconds / 60:.3g} minutes"
        made.append(_growths(title, note, slow.growths, "per minute", 1))
    return made


def kills_verdict(kills: Kills) -> str:
    """Describe in one line how the failovers went."""
    if kills.problem:
        return f"FAILED after {kills.done} of {kills.wanted} failovers: {kills.problem}"
    short = "" if kills.done == kills.wanted else f"{kills.wanted} were wanted, "
    grows = f"GROWING: {', '.join(kills.growths.growing)}" if kills.growths.growing else "nothing grows"
    return (
        f"{kills.done} failovers in {kills.seconds / 60:.1f} minutes, {short}{kills.rows:,} rows at the sink, all as if nothing"
        f" had happened; {grows}"
    )


def slow_verdict(slow: Slow) -> str:
    """Describe in one line how the slow sink went."""
    if slow.problem:
        return f"FAILED: {slow.problem}"
    grows = f"GROWING: {', '.join(slow.growths.growing)}" if slow.growths.growing else "nothing grows"
    figures = slow.outcome.figures
    return f"{figures['sent']:,.0f} blocks sent, {figures['rounds']:,.0f} came in their order; {grows}"


def _growths(title: str, note: str, growths: Growths, per: str, steps: float) -> Table:
    rows = [
        (
            one.what + (" (MB)" if one.what.endswith(": rss") else ""),
            f"{one.points[0][1]:,.1f}",
            f"{one.points[-1][1]:,.1f}",
            f"{max(figure for _, figure in one.points):,.1f}",
            f"{one.speed * steps:+,.2f}",
            f"{one.grown:+,.2f}",
            f"<= {one.allowed:g}",
            "GROWS" if one.grows else "flat",
        )
        for one in growths.all
    ]
    head = ("all together", "first", "last", "most", f"growth {per}", "in the second half", "allowed", "")
    return Table(title, note, head, rows)
