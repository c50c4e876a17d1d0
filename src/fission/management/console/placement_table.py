"""Renders a placement as a table: a row per job, and on request the scores and refusals of all nodes."""

from rich.console import Group, RenderableType
from rich.text import Text

from fission.management.console.tables import Row, styled, table
from fission.placement import LOCAL, Decision, Placement, Reason, Rule, Verdict, refusals


def render_placement(placement: Placement, *, explain: bool = False) -> RenderableType:
    """Render a placement: a row per job with its node and the reason; with `explain` also all candidate nodes."""
    rows = []
    for one in placement:
        node = {None: "-", LOCAL: "client"}.get(one.node, one.node)
        rows.append(styled((one.name, str(node), _why(one)), "red" if one.node is None else ""))
    jobs = table(("job", "node", "why"), rows)
    if not explain:
        return jobs
    return Group(jobs, *(part for one in placement if one.reasons for part in _explained(one)))


def _why(one: Decision) -> str:
    if one.rule is Rule.NONE:
        return f"no node: {refusals(one.reasons)}"
    group = f" in {one.group}" if one.group not in ("", LOCAL) else ""
    score = f" ({chosen.value:.1f})" if (chosen := one.chosen) else ""
    return f"{one.rule}{group}{score}"


def _explained(one: Decision) -> tuple[RenderableType, RenderableType]:
    reasons = sorted(one.reasons, key=lambda reason: -reason.value)
    rows = [styled(_cells(reason), _style(reason)) for reason in reasons]
    numbers = ("link", "cpu", "swap", "free slots", "score")
    return Text(f"\n{one.name}", style="bold"), table(
        ("node", "result", "group", *numbers), rows, numbers=numbers
    )


def _cells(reason: Reason) -> Row:
    free = f"{reason.free} of {reason.slots}"
    head = (reason.node, str(reason.verdict), reason.group)
    if (score := reason.score) is None:
        return (*head, "", "", "", free, "")
    parts = (f"{score.tq / 255 * 100:.0f}", f"{score.cpu:.0f}", f"{100 - score.swap:.0f}")
    return (*head, *parts, free, f"{score.value:.1f}")


def _style(reason: Reason) -> str:
    if reason.verdict.refused:
        return "dim"
    return "green" if reason.verdict is Verdict.CHOSEN else ""
