"""A job that fails while its node cannot be reached: the failure counts when the node is back."""

import os
import signal

import pytest

from lab import Lab, Stream, job_processes, wait_for
from lab.stream import WORK

pytestmark = pytest.mark.long

TRAP = """\
        if os.path.exists(os.getcwd().partition("/root/")[0] + "/trap"):
            raise ValueError("trapped")
"""
"""It is set on one host only."""


def test_a_failure_behind_a_broken_link_counts(lab: Lab) -> None:
    source, host = lab.nodes[:2]  # no other node takes the job meanwhile
    places = [(source.address, ("head",)), (host.address, ("work",))]
    settings = f'CERTS = "{lab.certs}"'
    stream = Stream(lab.folder, places, blocks=1_000_000, rate=100, settings=settings)
    jobs = stream.network / "jobs" / "jobs.py"
    before = "        number, source = block\n"
    jobs.write_text(jobs.read_text().replace(before, before + TRAP))
    for node in (source, host):
        node.launch_node(slots=2)
    for node in (source, host):
        node.await_node()
    client = stream.start(lab.client)
    stream.await_rows(50, client)
    pid = job_processes(host)[WORK]

    def has_unread() -> bool:
        lines = host.run(["ss", "-Htn", "dst", source.address]).text().splitlines()
        return any(int(line.split()[1]) for line in lines)

    os.kill(pid, signal.SIGSTOP)
    wait_for(has_unread, "blocks that wait for the job")  # it fails as soon as it goes on
    (host.folder / "trap").touch()
    host.link_down()
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: pid not in host.pids(), "the job has failed")
    (host.folder / "trap").unlink()
    host.link_up()
    log = stream.root / "FISSION.log"
    wait_for(lambda: "before that was lost: ValueError: trapped" in log.read_text(), "the failure in the log")
    assert "it counts as one of 3 restarts" in log.read_text()
    stream.await_more(client)
    stream.finish()
    assert client.wait(60) == 0, client.tail()
    assert stream.mistakes() == ""
