"""What is told to a client that cannot take all of it: facts first."""

from fission.cluster.events import JobReady
from fission.engine.node.sessions import MOST_BACKLOG, ClientSessions
from fission.engine.protocol.interfaces import JobSaid
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Status

STATUS = Status(rounds=1, cpu_seconds=0.1, pipes={})


def test_facts_do_not_wait_behind_lines_on_a_slow_link() -> None:
    told: list[object] = []
    waiting = 0
    tenants = ClientSessions("node", lambda client, event: told.append(event), lambda client: waiting)
    assert tenants.admit("c", "net", "somebody", "now") == ""
    client = tenants.client("c")
    assert client is not None
    client.greeted = True

    def hear(what: OutputLine | Status, now: float) -> None:
        tenants.hear("net", "", JobSaid("node", 1, 1, what), now)

    line = OutputLine("stdout", "text")
    hear(line, 1.0)
    hear(STATUS, 1.0)
    assert len(told) == 2
    waiting = MOST_BACKLOG + 1
    for _ in range(5):
        hear(line, 2.0)
        hear(STATUS, 2.0)
    tenants.hear("net", "", JobReady("node", 1, 1), 2.0)
    assert told[2:] == [JobReady("node", 1, 1)]
    waiting = 0
    hear(line, 3.0)
    dropped, last = told[3:]
    assert isinstance(dropped, JobSaid)
    assert "5 lines of output were dropped" in str(dropped.what)
    assert isinstance(last, JobSaid)
    assert last.what == line
