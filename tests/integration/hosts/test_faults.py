"""Hosts, links and processes that fail under a running network: the sink's file is as if nothing had happened."""

import os
import signal
import sys

import pytest

from lab import Host, Lab, Stream, job_processes, wait_for
from lab.stream import SINK, SOURCE, WORK

pytestmark = pytest.mark.long

RATE = 200


class Scene:
    """A running stream, long enough for some faults."""

    def __init__(self, lab: Lab, seconds: float = 5, settings: str = "") -> None:
        self.lab = lab
        self.stream = Stream.in_lab(lab, blocks=int(seconds * RATE), rate=RATE, settings=settings)
        lab.start_nodes()
        self.client = self.stream.start(lab.client)
        self.stream.await_rows(50, self.client)

    def host_of(self, job: int) -> Host:
        """The host on which a job runs now."""
        wait_for(lambda: self._hosts(job), f"a process of job {job}")
        return self._hosts(job)[-1]

    def _hosts(self, job: int) -> list[Host]:
        return [host for host in self.lab.nodes if job in job_processes(host)]

    def moved(self, job: int, host: Host) -> bool:
        """Whether a job has a process on another host than this one."""
        return any(other is not host for other in self._hosts(job))

    def pid_of(self, job: int) -> int:
        host = self.lab.client if job == SINK else self.host_of(job)
        return job_processes(host)[job]

    def logs(self, text: str) -> None:
        """The client's log has a line with this text."""
        log = self.stream.root / "FISSION.log"
        wait_for(lambda: text in log.read_text(errors="replace"), f"{text!r} in the log")

    def go_on(self) -> None:
        """New rows arrive at the sink."""
        self.stream.await_more(self.client)

    def end(self) -> None:
        """The network finishes, nothing was lost or doubled, and nothing of it is left."""
        assert self.client.wait(60) == 0, self.client.tail()
        assert self.stream.mistakes() == ""
        assert len(self.stream.rows()) == self.stream.blocks
        wait_for(
            lambda: not any(job_processes(host) for host in self.lab.hosts.values()), "all jobs have ended", 5
        )
        assert not self.lab.client.pids()


@pytest.fixture
def scene(lab: Lab) -> Scene:
    return Scene(lab)


def test_a_network_runs_to_its_end(scene: Scene) -> None:
    assert scene.host_of(SOURCE) is not scene.lab.client
    scene.end()


def test_the_node_that_joined_first_dies_while_the_client_waits_for_another(lab: Lab) -> None:
    head, *there = lab.nodes[:3]  # the source has no place without the first one
    for host in there:
        host.start_node()
    stream = Stream.in_lab(lab, blocks=RATE, rate=RATE)
    client = stream.start(lab.client, "--wait", "60s")
    log = stream.root / "FISSION.log"
    joined = [f"node {host.address}: joined" for host in there]
    wait_for(lambda: log.exists() and all(line in log.read_text() for line in joined), "two nodes")
    first = min(there, key=lambda host: log.read_text().index(f"node {host.address}: joined"))
    wait_for(
        lambda: f"Waits for {head.address}" in log.read_text(), "the client says for which nodes it waits"
    )
    assert "no node for 1 of 3 jobs" in log.read_text()
    assert not any(job_processes(host) for host in lab.nodes)
    first.kill()
    head.start_node()
    assert client.wait(60) == 0, client.tail()
    assert stream.mistakes() == ""


def test_a_start_waits_as_long_as_it_was_told(lab: Lab) -> None:
    lab.nodes[1].start_node()
    stream = Stream.in_lab(lab, blocks=RATE, rate=RATE)
    done = lab.client.run(stream.command("run", "--wait", "5s"))
    assert done.code == 2
    assert "up to 5 s from the start (see --wait)" in done.text()
    assert "no node for 1 of 3 jobs" in done.tail(3)


def test_a_start_that_waits_for_nodes_is_interrupted(lab: Lab) -> None:
    stream = Stream.in_lab(lab, blocks=RATE, rate=RATE)
    client = stream.start(lab.client, "--wait", "60s")
    client.says("Waits for")
    client.send(signal.SIGINT)
    assert client.wait(10) == 0, client.tail()


@pytest.mark.parametrize("job", [SOURCE, WORK, SINK])
def test_the_process_of_a_job_is_killed(scene: Scene, job: int) -> None:
    for _ in range(3):
        os.kill(scene.pid_of(job), signal.SIGKILL)
        scene.go_on()
    scene.end()


def test_all_jobs_are_killed_at_once(scene: Scene) -> None:
    for pid in [scene.pid_of(job) for job in (SOURCE, WORK, SINK)]:
        os.kill(pid, signal.SIGKILL)
    scene.go_on()
    scene.end()


@pytest.mark.parametrize("job", [SOURCE, WORK])
def test_a_node_service_is_killed(scene: Scene, job: int) -> None:
    host = scene.host_of(job)
    victims = job_processes(host).values()
    assert host.service is not None
    host.service.kill()
    scene.go_on()
    assert scene.host_of(job) is not host
    wait_for(lambda: not set(victims) & set(host.pids()), "the jobs have ended with their service", 5)
    host.start_node()
    scene.end()


@pytest.mark.parametrize("job", [SOURCE, WORK])
def test_a_node_loses_its_power(lab: Lab, job: int) -> None:
    scene = Scene(lab, seconds=15)  # a busy machine takes a while to start a node again
    host = scene.host_of(job)
    host.kill()
    scene.go_on()
    assert scene.host_of(job) is not host
    host.start_node()
    scene.logs("is back")
    scene.end()


@pytest.mark.parametrize("job", [SOURCE, WORK])
def test_a_link_goes_down_and_up(scene: Scene, job: int) -> None:
    host = scene.host_of(job)
    old = job_processes(host)[job]
    host.link_down()
    wait_for(lambda: scene.moved(job, host), "the job runs elsewhere")
    scene.go_on()
    host.link_up()
    wait_for(lambda: old not in host.pids(), "the old process was ended", 20)
    scene.end()


def test_a_node_is_frozen_and_comes_back(scene: Scene) -> None:
    host = scene.host_of(WORK)
    frozen = host.freeze()
    wait_for(lambda: scene.moved(WORK, host), "the job runs elsewhere")
    scene.go_on()
    host.thaw(frozen)
    scene.go_on()
    scene.end()


def test_the_client_is_killed_and_started_again(lab: Lab) -> None:
    scene = Scene(lab, seconds=20)  # a busy machine takes a while to start a client
    pids = {job: scene.pid_of(job) for job in (SOURCE, WORK)}
    lab.client.kill()
    assert {job: scene.pid_of(job) for job in pids} == pids  # they live on without it
    scene.client = scene.stream.start(lab.client)
    scene.go_on()
    assert {job: scene.pid_of(job) for job in pids} == pids
    scene.end()


def test_the_client_is_started_again_while_no_node_can_be_reached(lab: Lab) -> None:
    scene = Scene(lab, seconds=10)
    lab.client.kill()
    lab.client.link_down()
    scene.client = scene.stream.start(lab.client)
    scene.logs("waits for the first node")
    lab.client.link_up()
    scene.go_on()  # the sender of the sink is told where the client is, as the nodes see it
    scene.end()


def test_the_client_stands_still_for_a_while(scene: Scene) -> None:
    pids = {job: scene.pid_of(job) for job in (SOURCE, WORK)}
    scene.client.send(signal.SIGSTOP)
    scene.stream.await_more(scene.client, 3 * RATE)  # three seconds
    scene.client.send(signal.SIGCONT)
    scene.go_on()
    assert {job: scene.pid_of(job) for job in pids} == pids
    scene.end()


def test_a_slow_link_carries_everything(scene: Scene) -> None:
    scene.host_of(WORK).slow("1mbit")
    scene.go_on()
    scene.end()


def test_strangers_at_every_port_change_nothing(scene: Scene) -> None:
    hosts = scene.lab.hosts.values()
    doors = [f"{host.address}:{port}" for host in hosts for port in host.ports()]
    assert len(doors) >= 4 + 3  # of the node services; of the client, and of the jobs that have inputs
    stranger = scene.lab.nodes[3].popen([sys.executable, "-c", STRANGER, *doors])
    stranger.says(f"knocked {20 * len(doors)}")
    scene.go_on()
    scene.end()


def test_ctrl_c_stops_everything_everywhere(lab: Lab) -> None:
    scene = Scene(lab, seconds=600)
    scene.client.send(signal.SIGINT)
    assert scene.client.wait(10) == 0, scene.client.tail()
    wait_for(lambda: not any(job_processes(host) for host in lab.hosts.values()), "all jobs have ended", 5)
    assert scene.stream.mistakes() == ""
    assert all(node.service is not None and node.service.running for node in lab.nodes)


STRANGER = """
import contextlib, signal, socket, sys
kept = []
for call in sys.argv[1:]:
    host, port = call.split(":")
    for said in (b"", b"GET / HTTP/1.0\\r\\n\\r\\n", bytes(1000), b"\\x16\\x03\\x01\\xff\\xff" + bytes(50)) * 5:
        with contextlib.suppress(OSError):
            kept.append(socket.create_connection((host, int(port)), timeout=2))
            kept[-1].sendall(said)
print("knocked", len(kept), flush=True)
signal.pause()
"""
