"""The lab itself: hosts that reach each other, faults that happen and end, nothing that is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import Lab, LabError, names, wait_for

pytestmark = pytest.mark.long

SERVER = """
import socket, sys
with socket.create_server(("0.0.0.0", 5000)) as server:
    print("listening", flush=True)
    while True:
        peer, address = server.accept()
        with peer:
            size = 0
            while data := peer.recv(1 << 16):
                size += len(data)
                if data.endswith(b"."):
                    peer.sendall(f"{address[0]} {size}".encode())
                    break
"""

CLIENT = """
import socket, time
began = time.monotonic()
try:
    with socket.create_connection(("{address}", 5000), timeout={timeout}) as peer:
        peer.settimeout({timeout})
        peer.sendall(b"x" * {size} + b".")
        print(peer.recv(100).decode(), time.monotonic() - began)
except OSError as error:
    print("error", type(error).__name__)
"""


def ask(lab: Lab, address: str, size: int = 10, timeout: float = 0.5) -> list[str]:
    return lab.client.python(CLIENT.format(address=address, size=size, timeout=timeout)).split()


@pytest.fixture
def server(lab: Lab) -> str:
    """A program on the first node that says who has called, and how much was sent."""
    lab.nodes[0].popen([sys.executable, "-c", SERVER]).says("listening")
    return lab.nodes[0].address


def test_hosts_reach_each_other_by_their_own_addresses(lab: Lab, server: str) -> None:
    assert ask(lab, server)[:2] == [lab.client.address, "11"]
    assert lab.nodes[0].listens_at(5000)
    assert not lab.nodes[1].listens_at(5000)


def test_a_link_goes_down_and_up(lab: Lab, server: str) -> None:
    lab.nodes[0].link_down()
    assert ask(lab, server) == ["error", "TimeoutError"]
    lab.nodes[0].link_up()
    wait_for(lambda: ask(lab, server)[:1] == [lab.client.address], "the host is reached again")


def test_a_slow_link_is_slow_until_it_is_fast(lab: Lab, server: str) -> None:
    lab.nodes[0].slow("4mbit")
    *_, seconds = ask(lab, server, size=500_000, timeout=20)
    assert float(seconds) > 0.5  # 4 million bits at 4 million a second, less the first burst
    lab.nodes[0].fast()
    lab.nodes[0].fast()
    assert ask(lab, server, size=500_000, timeout=20)[1] == "500001"


def test_packets_are_dropped_until_they_are_not(lab: Lab, server: str) -> None:
    lab.nodes[0].drop()
    assert ask(lab, server) == ["error", "TimeoutError"]
    lab.nodes[0].drop(100, incoming=False)
    assert ask(lab, server) == ["error", "TimeoutError"]
    lab.nodes[0].drop(10)
    assert ask(lab, server, size=100_000, timeout=20)[1] == "100001"
    lab.nodes[0].undrop()
    assert ask(lab, server)[1] == "11"


def test_a_frozen_host_answers_when_it_is_thawed(lab: Lab, server: str) -> None:
    frozen = lab.nodes[0].freeze()
    assert len(frozen) == 1
    assert ask(lab, server) == ["error", "TimeoutError"]  # the kernel takes the call, nobody answers
    assert lab.nodes[0].thaw() == frozen
    wait_for(lambda: ask(lab, server)[:1] == [lab.client.address], "an answer")


def test_power_failure_takes_every_process(lab: Lab, server: str) -> None:
    host = lab.nodes[0]
    sleeper = host.popen(
        [sys.executable, "-c", "import os; os.fork() or os.setsid(); os.execlp('sleep', 'sleep', '99')"]
    )
    wait_for(lambda: len(host.pids()) == 3, "three processes run")
    host.freeze([sleeper.pid])
    assert len(host.kill()) == 3
    assert not host.pids()
    assert sleeper.code == -signal.SIGKILL
    assert not lab.client.pids()


def test_output_and_exit_codes(lab: Lab) -> None:
    done = lab.client.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.out.read_text(), done.err.read_text()) == (3, "out\n", "err\n")
    with pytest.raises(LabError, match="never said 'more'"):
        done.says("more")
    with pytest.raises(LabError, match="did not end"):
        lab.client.run(["sleep", "99"], seconds=0.1)


def test_two_labs_live_side_by_side_and_leave_nothing(tmp_path: Path, lab: Lab) -> None:
    with Lab(tmp_path / "second", nodes=1) as other:
        assert other.nodes[0].address == lab.nodes[0].address
        pids = [other.nodes[0].popen(["sleep", "99"]).pid, lab.nodes[0].popen(["sleep", "99"]).pid]
        wait_for(lambda: other.nodes[0].pids() == pids[:1] and lab.nodes[0].pids() == pids[1:], "both sleep")
        spaces = [host.space for host in other.hosts.values()]
    assert not set(spaces) & set(os.listdir("/run/netns"))
    assert not Path(f"/proc/{pids[0]}").exists()
    assert lab.nodes[0].pids() == pids[1:]


def test_a_lab_ends_whole_when_its_test_fails(tmp_path: Path, lab: Lab) -> None:
    other = Lab(tmp_path / "second", nodes=1)
    with pytest.raises(LabError, match="did not end"), other:
        other.client.run(["sleep", "99"], seconds=0.1)
    assert not other.client.pids()
    assert other.client.started[0].code is not None


def test_what_a_crashed_run_left_is_swept_away(lab: Lab) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = f"fission-{ended.pid}-1-n1"
    names.make(left)
    sleeper = subprocess.Popen(["ip", "netns", "exec", left, "sleep", "99"])
    wait_for(lambda: names.inhabitants(left), "a process of the crashed run")
    assert left in names.sweep()
    assert sleeper.wait(5) == -signal.SIGKILL
    assert lab.client.space in os.listdir("/run/netns")
