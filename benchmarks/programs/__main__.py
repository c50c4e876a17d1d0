"""Run the benchmark: `python -m benchmarks.programs [--blocks N] [--size BYTES]`."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.programs.project import SUBJECTS, rate, write_project


def main() -> int:
    """Measure every kind of program in turn and print blocks per second, from the first block at the sink to the last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.programs", description=main.__doc__)
    parser.add_argument("--blocks", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=64, help="bytes of a block")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="fission-programs-") as folder:
        for subject in SUBJECTS:
            try:
                write_project(Path(folder), subject, options.blocks, options.size)
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{subject:<24} left out: {error}", file=sys.stderr)
                continue
            figures[subject] = rate(Path(folder))
            if not options.json:
                print(f"{subject:<24} {figures[subject]:>12,.0f} blocks/s", flush=True)
    if options.json:
        print(
            json.dumps(
                {"blocks": options.blocks, "size": options.size, "blocks_per_second": figures}, indent=2
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
