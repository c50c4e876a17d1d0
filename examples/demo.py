"""`make demo`: run both examples, then a failover, and explain what the output shows.

    python3 examples/demo.py

needs an installed fission and takes about a minute. A picture of each network is drawn where Graphviz is installed;
elsewhere the network is printed as a Mermaid chart, which GitHub and many editors draw.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil

EXAMPLES = Path(__file__).resolve().parent

FAILOVER_SECONDS = 120.0
"""The time after which a failover that does not happen counts as failed; far more than a slow machine needs."""

TUTORIAL = """\
Three jobs count, one multiplies, one adds up. Each job is a process of its own; the lines between them are pipes.

    SourceJob 1 ---101---.
    SourceJob 2 ---102---+---> JoinJob 4 ---105---> ReduceJob 5
    SourceJob 3 ---103---'     a x b x c            sum of five

Watch for: one product per second, always of three equal numbers, and after five products the first sum, \
1 + 8 + 27 + 64 + 125 = 225. Every line begins with the job that printed it."""

SEPARATION = """\
Two people talk at the same time, and two microphones record both. Five jobs separate the voices without any knowledge \
of voices or room (FOBI, Cardoso 1989).

    WavSource ---> Whitening ---> Norm ---> SecondCovariance ---> Output ---> WavSink
    a recording,   equal power    how       which direction is    turn the    one file
    in blocks                     loud      more peaked           sound       per voice

Watch for: the last job compares the voices with the original recordings. SI-SDR is the power of the right voice \
relative to everything else; 20 dB are a factor of 100."""

FAILOVER = """\
The tutorial again, now on three nodes. This machine plays all three, at 127.0.0.2 to 127.0.0.4: each is a node service \
as on a device, with its own certificate. After the first sum, the service that runs JoinJob is killed together with all \
of its jobs, as in a power failure.

Watch for: the line in capitals, the warnings below it, and then the stream: the jobs of the dead node continue on other \
nodes. A counter of the tutorial begins at 1 again, because a live source cannot be replayed; JoinJob and ReduceJob lose \
nothing."""


def main() -> int:
    """Run the three parts. Ctrl+C reaches the running command as well, which ends by itself."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)

    heading("1. The tutorial: numbers")
    show(TUTORIAL)
    draw("tutorial", "demo_network_v1")
    run("tutorial", "manage.py", "demo_network_v1", "simulate", "--for", "8s")

    heading("2. Real sound: two voices")
    show(SEPARATION)
    draw("separation", "separation")
    run("separation", "manage.py", "separation", "simulate", "--until-finished")
    show("\nThe same in one process, without fission, to compare:")
    run("separation", "reference.py")

    heading("3. A node dies")
    show(FAILOVER)
    fail_over("tutorial", "demo_network_v1")

    network = EXAMPLES / "separation" / "separation"
    show("\nListen to the recording of the microphones, then to each voice:")
    for recording in ("source/mixture.wav", "simulation/6/voice_1.wav", "simulation/7/voice_2.wav"):
        print(f"    {short(network / recording)}")
    print(f"\nHow it works: {short(EXAMPLES / 'separation' / 'README.md')}")
    print(f"The jobs:     {short(network / 'jobs' / 'jobs.py')}")
    return 0


def heading(text: str) -> None:
    """Print an underlined title."""
    print(f"\n{text}\n{'=' * len(text)}\n")


def show(text: str) -> None:
    """Print paragraphs, wrapped to the width of the terminal; drawings, which are indented, stay as they are."""
    width = min(shutil.get_terminal_size().columns, 100)
    paragraphs = text.split("\n\n")
    shown = (each if each.startswith("    ") else textwrap.fill(each, width) for each in paragraphs)
    print("\n\n".join(shown), flush=True)


def draw(example: str, network: str) -> None:
    """Draw a network into a file, or print it where there is no Graphviz."""
    if shutil.which("dot"):
        run(example, "manage.py", network, "graphviz", quiet=True)
        print(f"\nThe whole graph: {short(EXAMPLES / example / network / 'network.pdf')}")
    else:
        show("\nThe whole graph, as a Mermaid chart because Graphviz is not installed:")
        run(example, "manage.py", network, "graphviz", "--format", "mermaid")


def run(example: str, *command: str, quiet: bool = False) -> None:
    """Run a Python program in the folder of an example; exit with its exit code when it fails."""
    if not quiet:
        print(f"\n$ cd {short(EXAMPLES / example)} && python3 {' '.join(command)}\n", flush=True)
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=EXAMPLES / example,
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=None
        if command[0] == "manage.py"
        else subprocess.PIPE,  # a plain script shows a traceback at Ctrl+C
        check=False,
    )
    exit_if_stopped()
    sys.stderr.write((ended.stderr or b"").decode(errors="replace"))
    if ended.returncode:
        print(f"\nThis failed with exit code {ended.returncode}.", file=sys.stderr)
        sys.exit(ended.returncode)


def fail_over(example: str, network: str) -> None:
    """Run a network on an embedded cluster and kill a node; end two sums after the client has reported the loss."""
    command = ["manage.py", network, "run", "--embedded", "3"]
    print(f"\n$ cd {short(EXAMPLES / example)} && python3 {' '.join(command)}\n", flush=True)
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=EXAMPLES / example,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        deadline = threading.Timer(FAILOVER_SECONDS, process.terminate)
        deadline.start()
        try:
            took = follow(process, example, network)
        finally:
            deadline.cancel()
            process.terminate()
    exit_if_stopped()
    if took is None or process.returncode:
        print(f"\nThe failover failed; `run` ended with exit code {process.returncode}.", file=sys.stderr)
        sys.exit(process.returncode or 1)
    print(f"\nThe client reported the loss of the node {took:.1f} s after the kill; the network continued.")


def follow(process: "subprocess.Popen[str]", example: str, network: str) -> float | None:
    """Print the output of the run, kill a node after the first sum, and stop the run two sums after its loss.

    Returns the seconds from the kill to the client's report; None if the run ended before.
    """
    address, killed, reported, sums = "", 0.0, 0.0, 0
    for line in process.stdout or ():
        print(line, end="", flush=True)
        if stopped:
            continue
        if address and not reported and address in line:
            reported = time.monotonic()
        if "Sum over" not in line:
            continue
        if not address:
            address = kill_node_of(4, process, example, network)
            killed = time.monotonic()
        elif reported:
            sums += 1
            if sums == 2:
                process.terminate()
    return reported - killed if sums >= 2 else None


def kill_node_of(job: int, process: "subprocess.Popen[str]", example: str, network: str) -> str:
    """Kill the node service that runs a job, together with its jobs; return the address of the node."""
    status = subprocess.run(
        [sys.executable, "manage.py", network, "status", "--json"],
        cwd=EXAMPLES / example,
        capture_output=True,
        text=True,
        check=False,
    )
    exit_if_stopped()
    address = next(str(one["node"]) for one in json.loads(status.stdout)["jobs"] if one["id"] == job)
    for child in psutil.Process(process.pid).children():
        if address in " ".join(child.cmdline()):
            print(f"\n    KILL -9 {child.pid}: THE NODE {address}, WITH ALL OF ITS JOBS\n", flush=True)
            child.kill()
    return address


def short(path: Path) -> str:
    """The path relative to the current folder, if it is below it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def exit_if_stopped() -> None:
    """Exit after Ctrl+C."""
    if stopped:
        print("\nThe demo was stopped.")
        sys.exit(128 + signal.SIGINT)


stopped: list[int] = []


def stop(number: int, _frame: object) -> None:
    """Remember Ctrl+C; the running command has received it as well."""
    stopped.append(number)


if __name__ == "__main__":
    sys.exit(main())
