"""Run the benchmark: `python -m benchmarks.programs [--blocks N] [--size BYTES]`."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.command import PAGE, parser, positive_int, say, store
from benchmarks.harness.machine import describe
from benchmarks.programs.project import SUBJECTS, rate, write_project
from benchmarks.report.page import PROGRAMS
from benchmarks.report.show import show
from benchmarks.report.tables import Table, described


def main() -> int:
    """Measure every kind of program in turn and print blocks per second, from the first block at the sink to the last."""
    options = _options()
    machine = describe()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="fission-programs-") as folder:
        for subject in SUBJECTS:
            try:
                write_project(Path(folder), subject, options.blocks, options.size)
            except (OSError, subprocess.CalledProcessError) as error:
                say(f"{subject:<24} left out: {error}")
                continue
            figures[subject] = rate(Path(folder))
            say(f"{subject:<24} {figures[subject]:>12,.0f} blocks/s")
    rows = [(subject, f"{figure:,.0f}") for subject, figure in figures.items()]
    note = f"{options.blocks:,} blocks of {options.size:,} bytes through a program that copies them."
    made = [described(machine), Table("Programs", note, ("program", "blocks/s"), rows)]
    show(made, [])
    result = {
        "machine": machine,
        "blocks": options.blocks,
        "size": options.size,
        "blocks_per_second": figures,
    }
    store(result, options.results, "programs")
    if options.publish:
        PROGRAMS.publish(made, PAGE)
    return 0


def _options() -> argparse.Namespace:
    made = parser("benchmarks.programs", "How fast blocks go through programs that copy them.")
    made.add_argument("--blocks", type=positive_int, default=200_000, metavar="N", help="default 200,000")
    made.add_argument(
        "--size", type=positive_int, default=64, metavar="BYTES", help="of a block (default 64)"
    )
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
