"""`make demo`: show both examples, then what happens when a machine dies, and say what there is to see.

    python3 examples/demo.py

needs an installed fission, and takes about half a minute. A picture of each network is drawn where Graphviz is
installed; elsewhere it is printed as a Mermaid chart, which GitHub and many editors draw.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

EXAMPLES = Path(__file__).resolve().parent

TUTORIAL = """\
Three jobs count, one multiplies, one adds up. Each is a process of its own; the lines
between them are pipes.

    SourceJob 1 ---101---.
    SourceJob 2 ---102---+---> JoinJob 4 ---105---> ReduceJob 5
    SourceJob 3 ---103---'     a x b x c            sum of five

Watch for: one product per second, always of three equal numbers, and after five of them
the first sum, 1 + 8 + 27 + 64 + 125 = 225. Every line begins with the job that printed it."""

SEPARATION = """\
Two people talk at the same time, two microphones hear both. Five jobs find out which
sound belongs to whom, knowing nothing about voices or room (FOBI, Cardoso 1989).

    WavSource ---> Whitening ---> Norm ---> SecondCovariance ---> Output ---> WavSink
    a recording,   equal power    how       which direction is    turn the    one file
    in blocks                     loud      more peaked           sound       per voice

Watch for: the last job compares the voices with what was really said. SI-SDR is how much
stronger the right voice is than everything else; 20 dB are a factor of 100 in power."""


FAILOVER = """\
The tutorial again, now on three nodes. This machine plays all three, at 127.0.0.2 to 127.0.0.4: each
is a node service as on a device, with its own certificate. After the first sum, the service that runs
the JoinJob is killed with all of its jobs, as if somebody had pulled the plug.

Watch for: the line in capitals, the warnings below it, and then the stream: what ran on the dead node
goes on elsewhere. A counter of the tutorial begins at 1 again, because nothing can say where a live
source would be now; JoinJob and ReduceJob lose nothing."""


def main() -> int:
    signal.signal(signal.SIGINT, stop)  # Ctrl+C reaches the simulation as well, which then ends by itself

    heading("1. The tutorial: numbers")
    print(TUTORIAL)
    draw("tutorial", "demo_network_v1")
    run("tutorial", "manage.py", "demo_network_v1", "simulate", "--for", "8s")

    heading("2. Real sound: who said what?")
    print(SEPARATION)
    draw("separation", "separation")
    run("separation", "manage.py", "separation", "simulate", "--until-finished")
    print("\nThe same in one process, without fission, to compare:")
    run("separation", "reference.py")

    heading("3. A machine dies")
    print(FAILOVER)
    fail_over("tutorial", "demo_network_v1")

    network = EXAMPLES / "separation" / "separation"
    print("\nListen to what the microphones heard, then to each voice:")
    for recording in ("source/mixture.wav", "simulation/6/voice_1.wav", "simulation/7/voice_2.wav"):
        print(f"    {short(network / recording)}")
    print(f"\nHow it works: {short(EXAMPLES / 'separation' / 'README.md')}")
    print(f"The jobs:     {short(network / 'jobs' / 'jobs.py')}")
    return 0


def heading(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}\n")


def draw(example: str, network: str) -> None:
    """Draw a network into a file, or print it where there is no Graphviz."""
    if shutil.which("dot"):
        run(example, "manage.py", network, "graphviz", quiet=True)
        print(f"\nThe whole graph: {short(EXAMPLES / example / network / 'network.pdf')}")
    else:
        print("\nThe whole graph, as a Mermaid chart because Graphviz is not installed:", flush=True)
        run(example, "manage.py", network, "graphviz", "--format", "mermaid")


def run(example: str, *command: str, quiet: bool = False) -> None:
    """Run a Python program in the folder of an example; leave with its exit code when it fails."""
    if not quiet:
        print(f"\n$ cd {short(EXAMPLES / example)} && python3 {' '.join(command)}\n", flush=True)
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=EXAMPLES / example,
        stdout=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    if stopped:
        print("\nThe demo was stopped.")
        sys.exit(130)
    if ended.returncode:
        print(f"\nThis failed with exit code {ended.returncode}.", file=sys.stderr)
        sys.exit(ended.returncode)


def fail_over(example: str, network: str) -> None:
    """Run a network on an embedded cluster, kill the node of its fourth job after the first sum, end after the next two."""
    command = ["manage.py", network, "run", "--embedded", "3"]
    print(f"\n$ cd {short(EXAMPLES / example)} && python3 {' '.join(command)}\n", flush=True)
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=EXAMPLES / example,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        sums = 0
        for line in process.stdout or ():
            print(line, end="", flush=True)
            sums += "Sum over" in line
            if sums == 1 and "Sum over" in line:
                kill_node_of(4, process, example, network)
            elif sums == 3 and "Sum over" in line:
                process.send_signal(signal.SIGINT)
    if stopped or process.returncode:
        print("\nThe demo was stopped." if stopped else f"\nThis failed with exit code {process.returncode}.")
        sys.exit(130 if stopped else process.returncode)


def kill_node_of(job: int, process: "subprocess.Popen[str]", example: str, network: str) -> None:
    """Ask where a job runs, and kill that node service; its jobs die with it."""
    status = subprocess.run(
        [sys.executable, "manage.py", network, "status", "--json"],
        cwd=EXAMPLES / example,
        capture_output=True,
        text=True,
        check=True,
    )
    address = next(one["node"] for one in json.loads(status.stdout)["jobs"] if one["id"] == job)
    for child in psutil.Process(process.pid).children():
        if address in " ".join(child.cmdline()):
            print(f"\n    KILL -9 {child.pid}: THE NODE {address}, WITH ALL OF ITS JOBS\n", flush=True)
            child.kill()


def short(path: Path) -> str:
    """A path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


stopped: list[int] = []


def stop(number: int, _frame: object) -> None:
    stopped.append(number)


if __name__ == "__main__":
    sys.exit(main())
