"""The command line: runs for long, shows and stores the results."""

import argparse
import signal
from collections.abc import Sequence

from benchmarks.endurance.kills import Kills, run_kills
from benchmarks.endurance.report import kills_verdict, slow_verdict, tables
from benchmarks.endurance.slow import Slow, run_slow
from benchmarks.harness.command import PAGE, parser, positive, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.report.page import ENDURANCE
from benchmarks.report.show import show

EPILOG = """examples:
  python -m benchmarks.endurance                          1,000 failovers and ten minutes of a slow sink
  python -m benchmarks.endurance --kills 60 --seconds 60  a short form
  python -m benchmarks.endurance --only kills --seed 7
  python -m benchmarks.endurance --publish
needs no root: nodes are processes of this machine, joined by TLS on its loopback
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the long runs; the exit code is 1 when a block was lost, a run failed or a figure grows."""
    options = _parser().parse_args(arguments)
    become_reaper()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = describe()
    parts = options.only or ("kills", "slow")
    kills: Kills | None = None
    slow: Slow | None = None
    interrupted = False
    try:
        if "kills" in parts:
            kills = run_kills(options.kills, options.seed, say)
            say(kills_verdict(kills))
        if "slow" in parts:
            slow = run_slow(options.seconds, say)
            say(slow_verdict(slow))
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted; nothing is left behind")
    made = tables(kills, slow, machine)
    verdicts = [kills_verdict(kills)] if kills else []
    verdicts += [slow_verdict(slow)] if slow else []
    show(made, verdicts)
    store({"machine": machine, "seed": options.seed} | _plain(kills, slow), options.results, "endurance")
    if options.publish:
        ENDURANCE.publish(made, PAGE)
    sound = all(part.sound for part in (kills, slow) if part is not None)
    return 0 if sound and not interrupted else 1


def _plain(kills: Kills | None, slow: Slow | None) -> dict[str, object]:
    """Return plain data for JSON."""
    plain: dict[str, object] = {}
    if kills is not None:
        names = ("wanted", "done", "rows", "seconds", "problem", "sound")
        growth = [one.as_dict() for one in kills.growths.all]
        plain["kills"] = {name: getattr(kills, name) for name in names} | {"growth": growth}
    if slow is not None:
        growth = [one.as_dict() for one in slow.growths.all]
        plain["slow"] = {"run": slow.outcome.as_dict(), "sound": slow.sound, "growth": growth}
    return plain


def _parser() -> argparse.ArgumentParser:
    made = parser("benchmarks.endurance", "Run for long, and see whether anything is lost or grows.", EPILOG)
    add = made.add_argument
    add("--only", action="append", choices=("kills", "slow"), metavar="PART", help="kills or slow")
    add("--kills", type=positive_int, default=1000, metavar="N", help="failovers in a row (default 1000)")
    add("--seconds", type=positive, default=600.0, metavar="S", help="of the slow sink (default 600)")
    add("--seed", type=positive_int, default=1, metavar="N", help="whom chance kills, and when (default 1)")
    return made
