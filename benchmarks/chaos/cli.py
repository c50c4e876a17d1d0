"""The command line: runs one seed after the other until enough faults have happened."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.harness.command import PAGE, parser, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.harness.processes import become_reaper
from benchmarks.kits import no_lab
from benchmarks.report.page import CHAOS
from benchmarks.report.show import show
from benchmarks.report.tables import Table, described
from chaoskit.campaign import Campaign
from chaoskit.faults import Kind
from lab import Lab, LabError

EPILOG = """examples:
  python -m benchmarks.chaos                       300 faults, beginning with seed 1
  python -m benchmarks.chaos --total 20 --from 100
  python -m benchmarks.chaos --seed 17 --faults 6  one network again, as a failure says
  python -m benchmarks.chaos --seed 17 --kind JOB  only with faults of this kind
  python -m benchmarks.chaos --go-on --publish     the whole number, whatever fails, for RESULTS.md
needs root, iproute2 and nftables: hosts are network namespaces of this machine
"""


@dataclass
class Chaos:
    """The counts of a campaign so far."""

    wanted: int
    networks: int = 0
    seconds: float = 0.0
    last_seed: int = 0
    refused: int = 0
    """States that could not be written while a disk was full."""
    struck: dict[str, int] = field(default_factory=dict)
    """How many faults of each kind met a stream."""
    failures: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """The number of faults that happened while blocks were flowing."""
        return sum(self.struck.values())

    @property
    def sound(self) -> bool:
        """Whether all outputs were exact and the requested number of faults happened."""
        return not self.failures and self.faults >= self.wanted

    def count(self, campaign: Campaign) -> None:
        """Add the counts of one network."""
        for fault in campaign.struck:
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        self.refused += campaign.refused

    def verdict(self) -> str:
        """Return a summary of one line."""
        differ = f"{len(self.failures)} of them differ or failed" if self.failures else "zero differences"
        short = "" if self.faults >= self.wanted else f", {self.wanted} were wanted"
        return f"{self.faults} faults in {self.networks} networks{short}: {differ}"

    def tables(self, machine: dict[str, str]) -> list[Table]:
        """Return the text for RESULTS.md."""
        rows = [(kind.value, str(self.struck.get(kind, 0))) for kind in Kind]
        rows.append(("faults in all", str(self.faults)))
        rows.append(("states that could not be written to a full disk", str(self.refused)))
        rows.append(("last seed", str(self.last_seed)))
        rows.append(("minutes", f"{self.seconds / 60:.1f}"))
        rows += [("a failure", failure.splitlines()[0]) for failure in self.failures]
        note = f"{self.verdict()} (the files of the sinks, to the last byte, beside those of `simulate`)."
        return [described(machine), Table("Faults by chance", note, ("what", "how many"), rows)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; the exit code is 1 when an output differs from that of an undisturbed run."""
    options = _parser().parse_args(arguments)
    if no_lab():
        return 2
    become_reaper()
    machine = describe()
    kinds = tuple(Kind[name] for name in options.kind) if options.kind else tuple(Kind)
    chaos = Chaos(wanted=1 if options.seed else options.total)
    began = time.monotonic()
    seed = options.seed or options.first
    try:
        while True:
            failure = _one(seed, options.faults, kinds, chaos)
            if failure:
                chaos.failures.append(failure)
                say(failure)
            if options.seed or chaos.faults >= options.total or (failure and not options.go_on):
                break
            seed += 1
    except KeyboardInterrupt:
        say("interrupted; nothing is left behind")
    chaos.seconds = time.monotonic() - began
    made = chaos.tables(machine)
    show(made, [chaos.verdict()])
    store({"machine": machine, **asdict(chaos)}, options.results, "chaos")
    if options.publish:
        CHAOS.publish(made, PAGE)
    return 0 if chaos.sound else 1


def _one(seed: int, faults: int, kinds: tuple[Kind, ...], chaos: Chaos) -> str:
    """Run one network and count its faults; return a description of what was wrong."""
    chaos.networks += 1
    chaos.last_seed = seed
    campaign: Campaign | None = None
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fission-chaos-", ignore_cleanup_errors=True) as folder,
            Lab(Path(folder) / "lab") as lab,
        ):
            campaign = Campaign(lab, Path(folder), seed, faults, kinds=kinds, say=say)
            campaign.run()
    except (AssertionError, LabError, OSError) as error:
        return f"seed {seed}: {error}"
    finally:
        if campaign is not None:
            chaos.count(campaign)
    say(f"  the same to the last byte, after {len(campaign.struck)} faults ({chaos.faults} in all)")
    return ""


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "benchmarks.chaos",
        "Break running networks by chance, and compare their output with that of an undisturbed run.",
        EPILOG,
    )
    add = made.add_argument
    add("--total", type=positive_int, default=300, metavar="N", help="faults in all (default 300)")
    add("--faults", type=positive_int, default=6, metavar="N", help="faults per network (default 6)")
    add("--from", dest="first", type=positive_int, default=1, metavar="SEED", help="first seed (default 1)")
    add("--seed", type=positive_int, metavar="SEED", help="this network only")
    add("--kind", action="append", choices=[kind.name for kind in Kind], metavar="NAME", help="repeatable")
    add("--go-on", action="store_true", help="do not stop at the first failure")
    return made
