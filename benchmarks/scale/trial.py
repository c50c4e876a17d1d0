"""One run of the chains in a lab of many hosts, and the placement of a network that is larger still."""

import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.failover.costs import Cost
from benchmarks.scale.chains import LENGTH, NAME, Chains, back, mistakes
from fission.core import base
from fission.core.jobs import ForwardingJob
from fission.core.network import Network
from fission.core.nodes import NodeInfo
from fission.core.pipes import PicklePipe
from fission.placement import Links, NodeState, place
from lab import Host, Lab, Running, job_processes, wait_for

Say = Callable[[str], None]
_START_SECONDS = 180.0
_BACK_SECONDS = 60.0


def run_chains(nodes: int, chains: int, idle: float, say: Say) -> list[Cost]:
    """Measure start, idle traffic and failover of `chains` chains; all processes have ended when it returns."""
    jobs = chains * LENGTH
    start = Cost(f"{jobs} jobs on {nodes} nodes: `run` until every sink has a block (s)", 60, "{:.1f}")
    quiet = Cost("idle control traffic per node, both directions (kB/s)", 5, "{:.2f}")
    failover = Cost("kill -9 of a node with some 10 jobs: until every chain is back (s)", 3)
    costs = [start, quiet, failover]
    with (
        tempfile.TemporaryDirectory(prefix="fission-scale-", ignore_cleanup_errors=True) as folder,
        Lab(Path(folder) / "lab", nodes) as lab,
    ):
        slots = -(-jobs // max(1, nodes - 1)) + 2  # there is room for the jobs of one node that dies
        network = Chains(lab, chains, slots)
        for node in lab.nodes:
            node.start_node(slots=slots)
        say(f"{nodes} node services listen")
        began = time.monotonic()
        client = lab.client.popen(network.command())
        try:
            _start(network, client, start, began)
            say(f"every sink has a block after {start.values[0]:.1f} s")
            quiet.values = _quiet(lab, network, idle)
            say(f"idle: {max(quiet.values):.2f} kB/s at most")
            _fail(lab, network, failover, say)
            client.send(signal.SIGINT)
            client.wait(60)
            failover.problem = mistakes(network.rows())
        except Exception as error:  # noqa: BLE001 - whatever happens is a result
            cost = next((cost for cost in costs if not cost.values), failover)
            cost.problem = f"{type(error).__name__}: {error} {client.tail(3)}".replace("\n", " / ")
    return costs


def _start(network: Chains, client: Running, cost: Cost, began: float) -> None:
    wait_for(lambda: not client.running or all(network.rows()), "a block at every sink", _START_SECONDS)
    cost.values.append(max(rows[0].arrived for rows in network.rows()) - began)


def _quiet(lab: Lab, network: Chains, seconds: float) -> list[float]:
    network.rest.touch()
    try:
        counted = [len(rows) for rows in network.rows()]

        def still() -> bool:
            nonlocal counted
            before, counted = counted, [len(rows) for rows in network.rows()]
            time.sleep(2)
            return before == counted

        wait_for(still, "nothing moves", 60)
        before = [_bytes(node) for node in lab.nodes]
        time.sleep(seconds)
        return [(_bytes(node) - old) / seconds / 1e3 for node, old in zip(lab.nodes, before, strict=True)]
    finally:
        network.rest.unlink()


def _bytes(node: Host) -> int:
    """What has gone in and out of a host, the loopback left out."""
    pid = node.service.pid if node.service else 0
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    counts = [line.partition(":")[2].split() for line in lines if not line.strip().startswith("lo:")]
    return sum(int(one[0]) + int(one[8]) for one in counts)


def _fail(lab: Lab, network: Chains, cost: Cost, say: Say) -> None:
    jobs = {node: job_processes(node, NAME) for node in lab.nodes}
    victim = min(jobs, key=lambda node: abs(len(jobs[node]) - LENGTH))
    dead = set(jobs[victim].values())
    seen = [len(rows) for rows in network.rows()]
    wait_for(
        lambda: all(len(rows) > old for rows, old in zip(network.rows(), seen, strict=True)),
        "blocks again",
        60,
    )
    struck = time.monotonic()
    victim.kill()
    wait_for(
        lambda: max(back(network.rows(), dead, struck)) < float("inf"), "every chain is back", _BACK_SECONDS
    )
    cost.values.append(max(back(network.rows(), dead, struck)))
    say(f"a node with {len(dead)} jobs was killed: back after {cost.values[0]:.2f} s")


def placement(jobs: int, nodes: int, times: int) -> Cost:
    """The placement of a network by chance on nodes with five slots each."""
    cost = Cost(f"placement of {jobs} jobs on {nodes} nodes (s)", 1.0, "{:.3f}")
    network, states, links = _large(jobs, nodes)
    for _ in range(times):
        began = time.perf_counter()
        place(network, states, links)
        cost.values.append(time.perf_counter() - began)
    return cost


def _large(jobs: int, nodes: int) -> tuple[Network, list[NodeState], Links]:
    """Half of the jobs feed the other half, three pipes each."""
    base.reset()
    random = Random(1)
    pipes = [PicklePipe(number) for number in range(1, jobs * 3 // 2 + 1)]
    ends = [(random.randrange(jobs // 2), random.randrange(jobs // 2, jobs)) for _ in pipes]
    made = [
        ForwardingJob(
            [pipe for pipe, (_, to) in zip(pipes, ends, strict=True) if to == job],
            [pipe for pipe, (by, _) in zip(pipes, ends, strict=True) if by == job],
        )
        for job in range(jobs)
    ]
    slots = -(-jobs // nodes)
    states = [
        NodeState(f"10.0.0.{number}", NodeInfo(random.random() * 100, 0, 0, 0), slots=slots)
        for number in range(nodes)
    ]
    links = Links({(one.address, two.address): random.randrange(256) for one in states for two in states})
    return Network.build("large", made)[0], states, links
