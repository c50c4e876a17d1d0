"""What a result says in a few sentences, made of its figures. Pure."""

from benchmarks.report.result import Result, Spread
from benchmarks.report.tables import NOISY, one
from benchmarks.subjects import BASELINE
from benchmarks.workloads import WORKLOADS

ROUNDS_TO_QUOTE = 3


def sentences(result: Result) -> list[str]:
    """Return the sentences, the warnings first; none when FISSION was not measured."""
    own = [item for item in result.measures if item.subject == "fission"]
    if not own:
        return []
    return [*_warnings(result), _checked(result), *_workloads(result)]


def _warnings(result: Result) -> list[str]:
    warnings = []
    shared = sum(item.figures.get("foreign", 0.0) > NOISY for item in result.measures)
    if shared * 4 > len(result.measures):
        warnings.append(
            f"**Not for quoting:** in {shared} of {len(result.measures)} runs others used more than {NOISY:.0%} of"
            " the machine."
        )
    if result.settings["runs"] < ROUNDS_TO_QUOTE:
        warnings.append(f"**Not for quoting:** fewer than {ROUNDS_TO_QUOTE} rounds.")
    if result.interrupted:
        warnings.append("**Interrupted:** the runs that are missing were not made.")
    return warnings


def _checked(result: Result) -> str:
    own = [item for item in result.measures if item.subject == "fission"]
    names = ("received", "lost", "duplicates", "corrupt")
    received, lost, doubled, spoiled = (sum(item.figures.get(name, 0.0) for item in own) for name in names)
    failed = sum(bool(item.problem) for item in own)
    return (
        f"FISSION carried {received:,.0f} blocks in {len(own)} runs; {lost:,.0f} were lost, {doubled:,.0f} came twice,"
        f" {spoiled:,.0f} were spoiled; {failed} runs failed."
    )


def _workloads(result: Result) -> list[str]:
    lines = []
    for name, workload in WORKLOADS.items():
        rate = result.spread("throughput", name, "fission", "rate")
        p50 = result.spread("latency", name, "fission", "p50")
        parts = []
        if rate.known:
            ratio = result.ratio("throughput", name, "fission", "rate", BASELINE)
            parts.append(f"{rate.median:,.0f} blocks/s{_times(ratio)}")
        if p50.known:
            ratio = result.ratio("latency", name, "fission", "p50", BASELINE)
            parts.append(f"{p50.median:,.0f} us from source to sink (p50{_times(ratio)})")
        if parts:
            lines.append(f"{workload.title}: {', '.join(parts)}.")
    return lines


def _times(ratio: Spread) -> str:
    return f", {one(ratio.median, '{:.2f}')} x the bare loop" if ratio.known else ""
