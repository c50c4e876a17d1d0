"""The command line: one seed after the other, until there were enough faults."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from chaoskit.campaign import Campaign
from chaoskit.faults import Kind
from lab import Lab, unavailable

HERE = Path(__file__).resolve().parent.parent
EPILOG = """examples:
  python -m benchmarks.chaos                       300 faults, beginning with seed 1
  python -m benchmarks.chaos --total 20 --from 100
  python -m benchmarks.chaos --seed 17 --faults 6  one network again, as a failure says
  python -m benchmarks.chaos --seed 17 --kind JOB  only with faults of this kind
needs root, iproute2 and nftables: hosts are network namespaces of this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; exit code 1 when an output was not that of an undisturbed run."""
    options = _parser().parse_args(arguments)
    reason = unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    become_reaper()
    kinds = tuple(Kind[name] for name in options.kind) if options.kind else tuple(Kind)
    result: dict[str, object] = {"machine": describe(), "began": time.time()}
    struck: dict[str, int] = {}
    failures: list[str] = []
    seed, total = options.seed or options.first, options.faults if options.seed else options.total
    try:
        while sum(struck.values()) < total:
            failure = _one(seed, options.faults, kinds, struck)
            if failure:
                failures.append(failure)
                print(failure, flush=True)
            if options.seed or (failure and not options.go_on):
                break
            seed += 1
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", file=sys.stderr)
    print(f"{sum(struck.values())} faults, {len(failures)} failures; last seed {seed}")
    for name, count in sorted(struck.items()):
        print(f"  {count:4} {name}")
    _store(result | {"faults": struck, "failures": failures, "last seed": seed}, options.results)
    return 1 if failures else 0


def _one(seed: int, faults: int, kinds: tuple[Kind, ...], struck: dict[str, int]) -> str:
    """Run one network; count its faults; return what was wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="fission-chaos-", ignore_cleanup_errors=True) as folder,
        Lab(Path(folder) / "lab") as lab,
    ):
        campaign = Campaign(lab, Path(folder), seed, faults, kinds=kinds, say=_say)
        try:
            campaign.run()
        except AssertionError as error:
            return str(error)
        finally:
            for fault in campaign.struck:
                struck[fault.kind] = struck.get(fault.kind, 0) + 1
    _say(f"  the same to the last byte, after {len(campaign.struck)} faults")
    return ""


def _store(result: dict[str, object], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("chaos-%Y%m%d-%H%M%S.json", time.gmtime())
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(f"stored in {path}")


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.chaos",
        description="Break running networks by chance, and compare their output with that of an undisturbed run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--total", type=int, default=300, metavar="N", help="faults in all (default 300)")
    add("--faults", type=int, default=6, metavar="N", help="faults per network (default 6)")
    add("--from", dest="first", type=int, default=1, metavar="SEED", help="first seed (default 1)")
    add("--seed", type=int, metavar="SEED", help="this network only")
    add("--kind", action="append", choices=[kind.name for kind in Kind], metavar="NAME", help="repeatable")
    add("--go-on", action="store_true", help="do not stop at the first failure")
    add("--results", type=Path, default=HERE / "results", metavar="DIR", help="store here")
    return parser
