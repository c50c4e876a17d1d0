"""Two nodes that both reach the client do not reach each other: one of the two jobs moves, and the sink's file is exact."""

import os
import re
import signal

import pytest

from lab import Host, Lab, Stream, job_processes, wait_for
from lab.stream import SINK, SOURCE, WORK

pytestmark = pytest.mark.long

RATE = 100


class Scene:
    """A running stream whose source and work are on different nodes; it is ended by `end`."""

    def __init__(
        self,
        lab: Lab,
        nodes: dict[str, tuple[str, ...]],
        settings: str = "",
        *,
        absent: str = "",
        blocks: int = 1_000_000,
        rate: float = RATE,
    ) -> None:
        self.lab = lab
        places = [(lab.hosts[name].address, groups) for name, groups in nodes.items()]
        settings = f'CERTS = "{lab.certs}"\n{settings}'
        self.stream = Stream(lab.folder, places, blocks=blocks, rate=rate, settings=settings)
        there = [lab.hosts[name] for name in nodes if name != absent]
        for host in there:
            host.launch_node(slots=2)
        for host in there:
            host.await_node()
        self.client = self.stream.start(lab.client, *(("--wait", "2s") if absent else ()))
        self.stream.await_rows(50, self.client)

    def host_of(self, job: int) -> Host:
        """The host on which a job runs now."""
        found = [host for host in self.lab.nodes if job in job_processes(host)]
        assert found
        return found[-1]

    def log(self) -> str:
        return (self.stream.root / "FISSION.log").read_text(errors="replace")

    def logs(self, text: str, deadline: float = 60) -> None:
        """The client's log has a line with this text."""
        wait_for(lambda: text in self.log(), f"{text!r} in the log", deadline)

    def end(self) -> None:
        """The network finishes, and nothing was lost or doubled."""
        self.stream.finish()
        assert self.client.wait(60) == 0, self.client.tail()
        assert self.stream.mistakes() == ""
        assert len(self.stream.rows()) == self.stream.sent


def test_a_job_moves_to_a_node_that_reaches_both(lab: Lab) -> None:
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)})
    source, work = scene.host_of(SOURCE), scene.host_of(WORK)
    source.cut_off(work)
    scene.logs("have not reached each other")
    scene.stream.await_more(scene.client, deadline=60)
    assert scene.host_of(WORK) not in (source, work)
    assert scene.host_of(SOURCE) is source
    assert "lost" not in scene.log()
    source.rejoin(work)
    scene.stream.await_more(scene.client)
    scene.end()
    assert scene.log().count("have not reached each other") == 1


def test_only_the_acknowledgements_are_lost(lab: Lab) -> None:
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)})
    source, work = scene.host_of(SOURCE), scene.host_of(WORK)
    source.cut_off(work, outgoing=False)
    scene.logs("have not reached each other")
    scene.stream.await_more(scene.client, deadline=60)
    assert scene.host_of(WORK) not in (source, work)
    scene.end()


def test_a_cut_that_no_move_bridges_is_explained_and_survived(lab: Lab) -> None:
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",)})
    source, work = scene.host_of(SOURCE), scene.host_of(WORK)
    before = {job: job_processes(scene.host_of(job))[job] for job in (SOURCE, WORK)}
    source.cut_off(work)
    scene.logs("and no job can move")
    source.rejoin(work)
    scene.stream.await_more(scene.client, deadline=60)
    assert {job: job_processes(scene.host_of(job))[job] for job in (SOURCE, WORK)} == before
    scene.end()
    assert scene.log().count("have not reached each other") == 1


def test_a_node_that_joins_later_takes_the_job(lab: Lab) -> None:
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)}, absent="n3")
    scene.host_of(SOURCE).cut_off(scene.host_of(WORK))
    scene.logs("and no job can move")
    lab.hosts["n3"].start_node(slots=2)
    scene.stream.await_more(scene.client, deadline=60)
    assert scene.host_of(WORK) is lab.hosts["n3"]
    scene.end()


def test_a_cut_that_is_shorter_than_the_timeout_moves_nothing(lab: Lab) -> None:
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)}, settings="LINK_TIMEOUT = 60")
    source, work = scene.host_of(SOURCE), scene.host_of(WORK)
    before = {job: job_processes(scene.host_of(job))[job] for job in (SOURCE, WORK)}
    source.cut_off(work)
    scene.logs("does not answer any more")  # the process knows it, and tries again
    source.rejoin(work)
    scene.stream.await_more(scene.client, deadline=60)
    assert {job: job_processes(scene.host_of(job))[job] for job in (SOURCE, WORK)} == before
    scene.end()


def test_a_stopped_process_is_no_cut(lab: Lab) -> None:
    """Its machine acknowledges what its process does not read; also a new connection comes about."""
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)}, settings="LINK_TIMEOUT = 2")
    work = scene.host_of(WORK)
    pid = job_processes(work)[WORK]
    os.kill(pid, signal.SIGSTOP)
    os.kill(job_processes(scene.host_of(SOURCE))[SOURCE], signal.SIGKILL)  # its successor cannot greet
    scene.logs("was not complete after 5 s", 60)
    scene.logs("was not complete after 5 s", 60)
    os.kill(pid, signal.SIGCONT)
    scene.stream.await_more(scene.client, deadline=60)
    assert "have not reached each other" not in scene.log()
    assert job_processes(work)[WORK] == pid
    scene.end()


def test_a_cut_behind_backpressure_is_noticed_by_the_receiver(lab: Lab) -> None:
    """A sender that waits for room asks ever more seldom whether there is some: it would notice a cut after minutes."""
    nodes = {"n1": ("head",), "n2": ("work",), "n3": ("work",)}
    scene = Scene(lab, nodes, blocks=600_000, rate=0)
    source, work = scene.host_of(SOURCE), scene.host_of(WORK)
    pid = job_processes(work)[WORK]
    os.kill(pid, signal.SIGSTOP)

    def asks_seldom() -> bool:
        out = source.run(["ss", "-Htno", "dst", work.address]).text()
        return any(int(seconds) >= 5 for seconds in re.findall(r"timer:\(persist,(\d+)(?:\.\d+)?sec", out))

    wait_for(asks_seldom, "a sender that waits for room", 60)
    source.cut_off(work)
    os.kill(pid, signal.SIGCONT)
    scene.logs("have not reached each other", 30)
    before = len(scene.stream.rows())
    scene.stream.await_rows(before + 50_000, scene.client)
    scene.client.send(signal.SIGINT)
    assert scene.client.wait(30) == 0, scene.client.tail()
    assert scene.stream.mistakes() == ""


def test_the_client_is_cut_off_from_the_data_of_a_node(lab: Lab) -> None:
    """The link to the node service stands, but a firewall drops the connections of the job to the client's sink."""
    scene = Scene(lab, {"n1": ("head",), "n2": ("work",), "n3": ("work",)})
    work = scene.host_of(WORK)
    work.cut_off(lab.client, ports=lab.client.ports(), incoming=False)
    scene.logs("have not reached each other")
    scene.stream.await_more(scene.client, deadline=60)
    assert scene.host_of(WORK) is not work
    assert SINK in job_processes(scene.lab.client)
    scene.end()
