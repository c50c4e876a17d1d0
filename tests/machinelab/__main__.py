"""`python -m machinelab [COUNT]`, with `tests` in PYTHONPATH: boot machines to play with, until Ctrl+C."""

import signal
import sys

from machinelab import MachineLab, unavailable
from machinelab.lab import PASSWORD, USER


def main() -> int:
    """Entry point."""
    if why := unavailable():
        print(f"error: {why}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    count = int(sys.argv[1]) if sys.argv[1:] else 3
    try:
        with MachineLab.up(count) as lab:
            enter = " ".join(lab.client(""))
            print(f"the client:  {enter}bash")
            for machine in lab.machines:
                print(f"{machine.name}:         {enter}ssh -i {lab.key} root@{machine.address}")
            print(f"or as {USER} with the password {PASSWORD}. Ctrl+C removes everything.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
