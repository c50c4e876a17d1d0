"""Tracks which client owns each network on a node, and routes events to it.

A network belongs to one client at a time. When that client is gone, the network waits for one that takes it over. Output of
its jobs is buffered meanwhile, within bounds; their states are in the inventory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fission.cluster import JobExited
from fission.cluster.events import JobEvent
from fission.engine.node.rate_limit import LineRateLimiter
from fission.engine.protocol.interfaces import EngineEvent, JobSaid
from fission.engine.protocol.link_messages import NodeFact
from fission.runtime.messages import Log, Status, TapBlock

_WARNING = 30

Post = Callable[[str, NodeFact], None]
"""`post(client, event)`."""

Backlog = Callable[[str], int]
"""`backlog(client)`: bytes that are queued for it."""

MOST_BACKLOG = 256 << 10
"""With more bytes queued than this, output lines are dropped, so that events are not delayed further."""


@dataclass(slots=True)
class ConnectedClient:
    """A client that has joined, perhaps over several links. It receives no events before it has `greeted`."""

    id: str
    network: str
    who: str
    since: str
    links: int = 1
    greeted: bool = False
    name: str = ""
    """The name by which it knows this node."""
    run: str = ""
    """Its run; "" until it has reported one."""
    ended: bool = False
    """The client has reported the end of the run: it will not be taken over."""


@dataclass(slots=True)
class NetworkSession:
    """A network that uses, or has used, this node. `left`: when its client left (monotonic clock)."""

    network: str
    client: ConnectedClient | None = None
    left: float = 0.0
    gate: LineRateLimiter[JobSaid] = field(default_factory=LineRateLimiter)


class ClientSessions:
    """The sessions of all clients. `admit` and `leave` track links; `hear` routes an event to the owner of its network."""

    def __init__(self, name: str, post: Post, backlog: Backlog) -> None:
        self._name = name
        self._post = post
        self._backlog = backlog
        self._clients: dict[str, ConnectedClient] = {}
        self._networks: dict[str, NetworkSession] = {}

    @property
    def clients(self) -> list[ConnectedClient]:
        """The clients that have greeted."""
        return [client for client in self._clients.values() if client.greeted]

    def client(self, id: str) -> ConnectedClient | None:
        """The client of this name, if it has joined."""
        return self._clients.get(id)

    def belongs_to_another(self, client: ConnectedClient) -> bool:
        """Return whether another client owns the network of this one now."""
        session = self._networks.get(client.network)
        return session is not None and session.client is not None and session.client.id != client.id

    def admit(self, id: str, network: str, who: str, since: str) -> str:
        """Admit a client, or return the reason against it. `who` and `since` describe it in refusals of other clients."""
        if not network.isidentifier():
            return "it does not say which network it is for"
        session = self._networks.setdefault(network, NetworkSession(network))
        holder = session.client
        if holder is not None and holder.id != id:
            return f"network {network} is in use by {holder.who}, since {holder.since}"
        links = 0 if holder is None else holder.links
        client = ConnectedClient(id, network, who, since, links + 1)
        session.client = self._clients[id] = client
        return ""

    def leave(self, id: str, now: float) -> bool:
        """Remove a link of a client; return whether it was the last one."""
        client = self._clients.get(id)
        if client is None:
            return False
        client.links -= 1
        if client.links:
            return False
        del self._clients[id]
        session = self._networks[client.network]
        session.client, session.left = None, now
        return True

    def abandoned(self, now: float) -> list[tuple[str, float]]:
        """Return the networks without a client, and for how many seconds."""
        return [(one.network, now - one.left) for one in self._networks.values() if one.client is None]

    def remember(self, network: str, now: float) -> None:
        """Record a network that has data on this node and no client."""
        self._networks.setdefault(network, NetworkSession(network, left=now))

    def end(self, network: str) -> None:
        """Forget a network that has nothing left on this node."""
        session = self._networks.get(network)
        if session is not None and session.client is None:
            del self._networks[network]

    def hear(self, network: str, run: str, event: EngineEvent, now: float) -> None:
        """Send an event to the owner of its network; buffer output while there is none."""
        session = self._networks.setdefault(network, NetworkSession(network, left=now))
        client = session.client
        if client is None or not client.greeted:
            _keep(session, event)
            return
        foreign = client.run not in ("", run)
        if foreign and not isinstance(event, JobExited):
            return
        if not isinstance(event, JobSaid) or self._passes(session, client, event, now):
            self._send(client, event)

    def flush(self, client: ConnectedClient) -> None:
        """Send the buffered output to a client that is back."""
        session = self._networks[client.network]
        for line in session.gate.kept():
            self._tell_dropped(session, client, line)
            self._send(client, line)

    def _passes(self, session: NetworkSession, client: ConnectedClient, said: JobSaid, now: float) -> bool:
        """Return whether output may be sent now; events that are not output always may."""
        clear = self._backlog(client.id) <= MOST_BACKLOG
        if isinstance(said.what, Status | TapBlock):
            return clear  # the next report contains all of this one; a watcher gets the next block
        if not session.gate.passes(now, clear=clear):
            return False
        self._tell_dropped(session, client, said)
        return True

    def _tell_dropped(self, session: NetworkSession, client: ConnectedClient, beside: JobSaid) -> None:
        dropped = session.gate.dropped()
        if dropped:
            self._send(client, replace(beside, what=Log(_WARNING, f"{dropped} lines of output were dropped")))

    def _send(self, client: ConnectedClient, event: EngineEvent) -> None:
        if isinstance(event, JobSaid | JobEvent):
            self._post(client.id, replace(event, node=client.name or self._name))


def _keep(session: NetworkSession, event: EngineEvent) -> None:
    """Buffer output for the next client; other events are in the inventory."""
    if isinstance(event, JobSaid) and not isinstance(event.what, Status | TapBlock):
        session.gate.keep(event, len(event.what.text))
