"""Whose network is whose: the clients of a node, one network each, and what is told to which of them.

A network belongs to one client at a time. When that is gone the network waits for a client that takes it over; what its
jobs print meanwhile is kept, within bounds. What became of them is told by the inventory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fission.cluster import JobExited, JobFailed
from fission.cluster.events import JobEvent
from fission.engine.node.rate_limit import LineRateLimiter
from fission.engine.protocol.interfaces import EngineEvent, JobSaid
from fission.engine.protocol.link_messages import NodeFact
from fission.runtime.messages import Log, Status

_WARNING, _ERROR = 30, 40

Post = Callable[[str, NodeFact], None]
"""`post(client, event)`."""

Backlog = Callable[[str], int]
"""`backlog(client)`: bytes that wait to be sent to it."""

MOST_BACKLOG = 256 << 10
"""When more waits than this, facts must not wait behind still more lines."""


@dataclass(slots=True)
class ConnectedClient:
    """A client that has joined, perhaps over several links; nothing is told to it before it has `greeted`."""

    id: str
    network: str
    who: str
    since: str
    links: int = 1
    greeted: bool = False
    name: str = ""
    """What it calls this node."""
    run: str = ""
    """Its run; "" as long as it has not said which."""
    ended: bool = False
    """It has said that the run is over: nobody will take it over."""


@dataclass(slots=True)
class NetworkSession:
    """A network of which something is, or was, on this node. `left`: when its client went (steady clock)."""

    network: str
    client: ConnectedClient | None = None
    left: float = 0.0
    gate: LineRateLimiter[JobSaid] = field(default_factory=LineRateLimiter)


class ClientSessions:
    """`admit`, `greet` and `leave` follow the clients; `hear` passes events on to the one whose network they are of."""

    def __init__(self, name: str, post: Post, backlog: Backlog) -> None:
        self._name = name
        self._post = post
        self._backlog = backlog
        self._clients: dict[str, ConnectedClient] = {}
        self._tenancies: dict[str, NetworkSession] = {}

    @property
    def clients(self) -> list[ConnectedClient]:
        """Those that have greeted."""
        return [client for client in self._clients.values() if client.greeted]

    def client(self, id: str) -> ConnectedClient | None:
        """The client of this name, if it has joined."""
        return self._clients.get(id)

    def belongs_to_another(self, client: ConnectedClient) -> bool:
        """Whether the network of a client has been taken by another one, since it has left."""
        tenancy = self._tenancies.get(client.network)
        return tenancy is not None and tenancy.client is not None and tenancy.client.id != client.id

    def admit(self, id: str, network: str, who: str, since: str) -> str:
        """Let a client in, or return why not. `who` and `since` are for other clients to read."""
        if not network.isidentifier():
            return "it does not say which network it is for"
        tenancy = self._tenancies.setdefault(network, NetworkSession(network))
        holder = tenancy.client
        if holder is not None and holder.id != id:
            return f"network {network} is in use by {holder.who}, since {holder.since}"
        links = 0 if holder is None else holder.links
        client = ConnectedClient(id, network, who, since, links + 1)
        tenancy.client = self._clients[id] = client
        return ""

    def leave(self, id: str, now: float) -> bool:
        """A link to a client has ended; tell whether it was the last one."""
        client = self._clients.get(id)
        if client is None:
            return False
        client.links -= 1
        if client.links:
            return False
        del self._clients[id]
        tenancy = self._tenancies[client.network]
        tenancy.client, tenancy.left = None, now
        return True

    def abandoned(self, now: float) -> list[tuple[str, float]]:
        """Networks without a client, and for how long."""
        return [(one.network, now - one.left) for one in self._tenancies.values() if one.client is None]

    def remember(self, network: str, now: float) -> None:
        """Something of a network is here, as of now, and no client."""
        self._tenancies.setdefault(network, NetworkSession(network, left=now))

    def end(self, network: str) -> None:
        """Forget a network of which nothing is left."""
        tenancy = self._tenancies.get(network)
        if tenancy is not None and tenancy.client is None:
            del self._tenancies[network]

    def hear(self, network: str, run: str, event: EngineEvent, now: float) -> None:
        """Pass on what happened to a job, or keep it if it is for people and nobody is there."""
        tenancy = self._tenancies.setdefault(network, NetworkSession(network, left=now))
        client = tenancy.client
        if client is None or not client.greeted:
            _keep(tenancy, event)
            return
        foreign = client.run not in ("", run)
        if foreign and not isinstance(event, JobExited):
            return
        if not isinstance(event, JobSaid) or self._passes(tenancy, client, event, now):
            self._send(client, event)

    def flush(self, client: ConnectedClient) -> None:
        """Tell a client that is back what was kept for it."""
        tenancy = self._tenancies[client.network]
        for line in tenancy.gate.kept():
            self._tell_dropped(tenancy, client, line)
            self._send(client, line)

    def _passes(self, tenancy: NetworkSession, client: ConnectedClient, said: JobSaid, now: float) -> bool:
        """Whether there is room for something that people may read; facts always pass."""
        clear = self._backlog(client.id) <= MOST_BACKLOG
        if isinstance(said.what, Status):
            return clear  # the next one has all that is in this one
        if not tenancy.gate.passes(now, clear=clear):
            return False
        self._tell_dropped(tenancy, client, said)
        return True

    def _tell_dropped(self, tenancy: NetworkSession, client: ConnectedClient, beside: JobSaid) -> None:
        dropped = tenancy.gate.dropped()
        if dropped:
            self._send(client, replace(beside, what=Log(_WARNING, f"{dropped} lines of output were dropped")))

    def _send(self, client: ConnectedClient, event: EngineEvent) -> None:
        if isinstance(event, JobSaid | JobEvent):
            self._post(client.id, replace(event, node=client.name or self._name))


def _keep(tenancy: NetworkSession, event: EngineEvent) -> None:
    """Facts are in the inventory; what people want to read is not."""
    if isinstance(event, JobSaid) and not isinstance(event.what, Status):
        tenancy.gate.keep(event)
    elif isinstance(event, JobFailed):
        place = f"in round {event.round}" if event.where == "run" else f"in {event.where}"
        text = f"failed {place}: {event.message}\n{event.traceback}".rstrip()
        tenancy.gate.keep(JobSaid(event.node, event.job, event.incarnation, Log(_ERROR, text)))
