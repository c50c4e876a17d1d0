"""One run of one subject: start it, wait, read the three reports, judge."""

import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness.growth import MemoryWatch
from benchmarks.harness.machine import ForeignLoad
from benchmarks.harness.processes import Run
from benchmarks.peers.base import FOLDERS, ROLES
from benchmarks.probe.process import REPORT
from benchmarks.subjects import ROOT, Launch, Subject
from benchmarks.workloads import PLAN_VARIABLE, Plan

SLACK_SECONDS = 25.0
"""What a run may take beyond the seconds of its source: start, working off, end."""
GROWTH_SLACK_SECONDS = 90.0
"""The same where the sink has been slow on purpose: millions of ints may be queued, by design."""


@dataclass
class Measure:
    """What came out of one run; `problem` is empty when it ran to its end, then `figures` is complete."""

    subject: str
    kind: str
    workload: str
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    output: str = ""
    """The last lines that the subject printed, kept when there is a problem."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def measure(subject: Subject, plan: Plan, number: int) -> Measure:
    """Execute one run; every failure of the subject becomes `problem`, and no process of it is left."""
    result = Measure(subject.name, plan.kind, plan.workload.name, number)
    with tempfile.TemporaryDirectory(prefix="fb-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        launch = subject.prepare(scratch, plan)
        watch = MemoryWatch() if plan.kind == "growth" else None
        foreign = ForeignLoad()
        load = os.getloadavg()[0]
        run = Run(launch.command, launch.folder, _environment(plan), scratch / "output.txt")
        try:
            with run:
                slack = GROWTH_SLACK_SECONDS if watch else SLACK_SECONDS
                code = run.wait(plan.source_seconds + slack, watch.look if watch else None)
        except OSError as error:
            result.problem = f"cannot be started: {error}"
            return result
        result.figures = {"foreign": foreign.share(), "load": load, "left": run.left}
        result.problem = _problem(code, launch)
        if result.problem:
            result.output = run.tail()
            return result
        reports = {role: _read(launch, role) for role in ROLES}
        result.figures |= _figures(reports, run.started)
        if watch:
            result.figures |= watch.figures(plan.warmup, plan.warmup + plan.seconds)
    return result


def _environment(plan: Plan) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {PLAN_VARIABLE: plan.to_text(), "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _problem(code: int | None, launch: Launch) -> str:
    if code is None:
        return "did not end in time"
    if code:
        return f"ended with exit code {code}"
    missing = [role for role in ROLES if not (launch.reports / FOLDERS[role] / REPORT).exists()]
    return f"no report of {', '.join(missing)}" if missing else ""


def _read(launch: Launch, role: str) -> dict[str, float]:
    text = (launch.reports / FOLDERS[role] / REPORT).read_text(encoding="utf-8")
    return {name: float(value) for name, value in json.loads(text).items()}


def _figures(reports: dict[str, dict[str, float]], started: float) -> dict[str, float]:
    """Join the three reports: the sink's figures as they are, those of each process under its role."""
    own = {"pid", "age", "cpu", "rss", "pss", "private"}
    source, sink = reports["source"], reports["sink"]
    figures = {name: value for name, value in (source | sink).items() if name not in own}
    for role, report in reports.items():
        figures |= {f"{role}_{name}": report[name] for name in own - {"pid"} if name in report}
    missing = max(0.0, source["sent"] - sink["last"]) if source["sent"] >= 0 else math.nan
    figures["lost"] = sink["gaps"] + missing
    figures["first_block"] = sink["first"] - started if sink["first"] else math.nan
    figures["cpu_per_block"] = sum(report["cpu"] for report in reports.values()) / max(1.0, sink["received"])
    return figures
