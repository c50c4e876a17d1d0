"""Whoever is no member of the cluster, or plays the wrong part in it: refused, with a line in the log, and nothing stops."""

import asyncio
import contextlib
import os
import pickle
import resource
import socket
import ssl
import struct

import msgpack
import pytest

from fission.engine.transport.handshake import ClientHello
from fission.engine.transport.stream import StreamClosed
from fission.runtime.sockets.admission import AdmissionLimits
from fission.security import Role, find_identity, server_context
from kits.links import NODE, Bed, Cluster, Story, bed_of
from kits.waiting import until

OTHER = "127.0.0.3"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    return Cluster(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return Cluster(tmp_path_factory.mktemp("foreign"))


def frame(message: object) -> bytes:
    data = msgpack.packb(message)
    return struct.pack(">BI", 0, len(data)) + data


async def served(bed: Bed, story: Story):
    """A node with a client that makes sure, at the end, that nothing has disturbed it."""
    node = await bed.node()
    client = await bed.client(story)
    client.invite({NODE: node.link.port})
    await until(lambda: story.count("up"))
    return node, client


async def undisturbed(bed: Bed, node, client, story: Story) -> None:
    assert await client.request(NODE, "x") == {"client": "c1", "operation": "x"}
    assert story.count("down") == 0
    late = Story()
    newcomer = await bed.client(late, name="c2", network="other")
    newcomer.invite({NODE: node.link.port})
    await until(lambda: late.count("up"))
    assert {client for client, _ in node.admitted} == {"c1", "c2"}


async def knock(port: int, data: bytes = b"", *, tls: ssl.SSLContext | None = None) -> bytes:
    """Connect, say something, and return what comes until the other side closes."""
    async with asyncio.timeout(20):
        reader = writer = None
        try:
            reader, writer = await asyncio.open_connection(NODE, port, ssl=tls)
            writer.write(data)
            return await reader.read()
        except OSError:
            return b""
        finally:
            if writer is not None:
                writer.transport.abort()


def context(folder, ca=None) -> ssl.SSLContext:
    """A TLS context that trusts nearly everybody."""
    made = ssl.create_default_context(cafile=(ca or folder) / "ca.pem")
    made.check_hostname = False
    if folder:
        made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


def nobody(cluster: Cluster) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=cluster.client / "ca.pem")
    made.check_hostname = False
    return made


GOOD = ClientHello("intruder", "net", 0.1).message()


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ("no certificate", "it has shown no certificate"),
        ("foreign authority", "its certificate was not signed by our authority"),
        ("expired", "its certificate has expired"),
        ("a node", "the certificate is for another role"),
    ],
)
def test_only_the_client_is_let_in(cluster, foreign, caplog, who, line):
    contexts = {
        "no certificate": lambda: nobody(cluster),
        "foreign authority": lambda: context(foreign.client, cluster.client),
        "expired": lambda: context(cluster.make(Role.CLIENT, age=30)),
        "a node": lambda: context(cluster.node(OTHER)),
    }

    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            assert await knock(node.link.port, frame(GOOD), tls=contexts[who]()) == b""
            await until(lambda: line in caplog.text)
            await undisturbed(bed, node, client, story)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "it speaks HTTP, not TLS"),
        (frame(GOOD), "refused: 127.0.0."),
        (bytes(100), "refused: 127.0.0."),
        (os.urandom(1000), "refused: 127.0.0."),
        (b"\x16\x03\x01\xff\xff" + bytes(70_000), "refused: 127.0.0."),
    ],
    ids=["http", "plain text", "zeros", "random", "endless"],
)
def test_who_does_not_speak_tls(cluster, caplog, data, line):
    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            await knock(node.link.port, data)
            await until(lambda: line in caplog.text)
            await undisturbed(bed, node, client, story)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (frame({"op": "register-worker"}), "it did not ask to join"),
        (frame([1, 2]), "it did not ask to join"),
        (frame({**GOOD, "join": 99}), "the versions of FISSION do not fit together"),
        (frame({**GOOD, "pulse": "often"}), "its request to join cannot be understood"),
        (frame({**GOOD, "pulse": 0.0}), "its request to join cannot be understood"),
        (b"\x07\0\0\0\x01x", "does not speak the protocol"),
        (b"\0\x10\0\0\0", "too large"),
        (struct.pack(">BI", 0, 3) + b"\xc1\xc1\xc1", "not plain data"),
    ],
)
def test_a_client_that_talks_nonsense(cluster, caplog, message, line):
    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            await knock(node.link.port, message, tls=context(cluster.client))
            await until(lambda: line in caplog.text)
            await undisturbed(bed, node, client, story)

    asyncio.run(main())


def accepted_by(port: int) -> int:
    """The number of connections of this process whose own end is the port."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                with socket.socket(fileno=os.dup(int(name))) as sock:
                    count += sock.getsockname()[1:] == (port,) and sock.getpeername() is not None
    return count


def test_silent_connections_stay_within_the_limit(cluster, caplog):
    """1,500 of them; about 1,470 were kept when 32 were accepted in one turn of the loop."""

    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            loop, port, most = asyncio.get_running_loop(), node.link.port, 0
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
            with contextlib.ExitStack() as stack:
                for n in range(1500):
                    sock = stack.enter_context(socket.socket())
                    sock.setblocking(False)
                    await loop.sock_connect(sock, (NODE, port))
                    if n % 3 == 0:
                        with contextlib.suppress(ConnectionError):  # displaced already
                            await loop.sock_sendall(sock, b"\x16\x03\x01")  # the beginning of a hello
                    if n % 100 == 0:
                        most = max(most, accepted_by(port))
                    if n == 500:
                        assert await client.request(NODE, "x")
                most = max(most, accepted_by(port))
                await undisturbed(bed, node, client, story)
            await until(lambda: "left out" in caplog.text)
            assert most <= 64 + 1 + 8, "the limit of one address, the client, and those of the last turns"

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        asyncio.run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caplog.text.count("refused:") < 500, "the log is not flooded"
    assert "Traceback" not in caplog.text


def test_who_is_too_slow_is_sent_away(cluster, caplog, monkeypatch):
    monkeypatch.setattr(
        "fission.engine.transport.listener.limits_for", lambda _: AdmissionLimits(128, 64, 1 << 20, 0.5)
    )

    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            assert await knock(node.link.port) == b"", "says nothing at all"
            assert await knock(node.link.port, tls=context(cluster.client)) == b"", "does not ask"
            await until(lambda: "the TLS handshake is not complete: it has not authenticated" in caplog.text)
            await until(lambda: "the first message is not complete" in caplog.text)
            await undisturbed(bed, node, client, story)

    asyncio.run(main())


def test_no_descriptors_are_left_for_a_while(cluster, caplog):
    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            node, client = await served(bed, story)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as sock:
                sock.setblocking(False)
                resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
                taken: list[int] = []
                try:
                    with contextlib.suppress(OSError):
                        while True:
                            taken.append(os.dup(0))
                    await asyncio.get_running_loop().sock_connect(sock, (NODE, node.link.port))
                    await until(lambda: "no connection can be accepted" in caplog.text)
                    assert await client.request(NODE, "x")
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                    for descriptor in taken:
                        os.close(descriptor)
            await undisturbed(bed, node, client, story)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ("the client", "the certificate is for another role"),
        ("another node", "the certificate does not name 127.0.0.2"),
        ("foreign authority", "its certificate was not signed by our authority"),
        ("expired", "its certificate has expired"),
    ],
)
def test_whoever_answers_must_be_that_node(cluster, foreign, who, line):
    folder = {
        "the client": cluster.client,
        "another node": cluster.node(OTHER),
        "foreign authority": foreign.node(NODE),
        "expired": cluster.make(Role.NODE, NODE, age=30),
    }[who]

    async def main():
        async with bed_of(cluster) as bed:
            server = await asyncio.start_server(
                lambda reader, writer: None, NODE, 0, ssl=server_context(find_identity(folder))
            )
            async with server:
                story = Story()
                client = await bed.client(story)
                client.invite({NODE: server.sockets[0].getsockname()[1]})
                await until(lambda: story.count("refused"))
                ((_, reason),) = story.of("refused")
                assert line in reason
                assert story.count("up") == 0

    asyncio.run(main())


class Impostor:
    """A node with a valid certificate that says what it likes after it was reached."""

    def __init__(self, cluster: Cluster, *messages: object) -> None:
        self.heard: list[bytes] = []
        self.closed = asyncio.Event()
        self._messages = messages
        self._context = server_context(find_identity(cluster.node(NODE)))

    async def __aenter__(self) -> "Impostor":
        self._server = await asyncio.start_server(self._serve, NODE, 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heard.append(await reader.read(1000))
            for message in self._messages:
                writer.write(message if isinstance(message, bytes) else frame(message))
            while await reader.read(1000):
                pass
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self.closed.set()


class Bomb:
    def __reduce__(self):
        return os.mkdir, (self.path,)


WELCOME = {"welcome": {}}


@pytest.mark.parametrize("message", ["pickled", "serialized", "enum", "bytes"])
def test_nothing_is_unpickled_or_imported(cluster, tmp_path, message):
    """Messages that other protocols unpickle, or import a module for."""
    bomb = Bomb()
    bomb.path = os.fspath(tmp_path / "boom")
    data = pickle.dumps(bomb)
    messages = {
        "pickled": {"op": {"__Pickled__": 1}, "pickled-obj": data},
        "serialized": {"__Serialized__": 1, "header": {"serializer": "pickle"}, "frames": [data]},
        "enum": {"__Enum__": True, "__module__": "antigravity", "__name__": "x", "name": "y"},
        "bytes": frame(data),
    }

    async def main():
        async with (
            bed_of(cluster) as bed,
            Impostor(cluster, WELCOME, messages[message]) as impostor,
        ):
            story = Story()
            client = await bed.client(story)
            client.invite({NODE: impostor.port})
            await until(lambda: story.count("down"))
            ((_, reason), *_) = story.of("down")
            assert "understand" in reason or "not plain data" in reason

    asyncio.run(main())
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    "message",
    [{"something": "else"}, {"welcome": "text"}, "text", ["list"], b"\x40\0\0\0\1"],
    ids=["no answer", "no description", "text", "list", "long pulse"],
)
def test_a_node_that_talks_nonsense_is_no_member(cluster, message):
    async def main():
        async with bed_of(cluster) as bed, Impostor(cluster, message) as impostor:
            story, good = Story(), await bed.node(address=OTHER)
            client = await bed.client(story)
            client.invite({OTHER: good.link.port, NODE: impostor.port})
            await impostor.closed.wait()
            await until(lambda: story.count("up"))
            assert story.of("up") == [(OTHER,)]
            assert await client.request(OTHER, "x")

    asyncio.run(main())


@pytest.mark.parametrize(
    "message",
    [
        {"op": "nothing that we know"},
        {"op": "post"},
        {"op": "answer", "number": [1]},
        {"op": "answer", "number": 1},
        {"op": "request", "number": 1, "operation": "x", "arguments": {}},
        [1],
        {"op": "answer", "number": 1, "value": 2, "error": "both"},
        {"op": "post", "topic": "x", "data": 1, "more": 2},
        {"op": "run_function", "function": b"", "reply": True},
        {"no": "op"},
        {},
        None,
        "text",
        {"op": []},
    ],
)
def test_a_member_that_talks_nonsense_is_dropped(cluster, message):
    async def main():
        async with bed_of(cluster) as bed:
            story = Story()
            client = await bed.client(story)
            async with Impostor(cluster, WELCOME, message) as impostor:
                client.invite({NODE: impostor.port})
                await until(lambda: story.count("down"))
            ((_, reason), *_) = story.of("down")
            assert "understand" in reason

    asyncio.run(main())


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ("role", "Has our certificate the role client?"),
        ("clear text", "SECURITY is off here: is it on there?"),
    ],
)
def test_a_client_that_is_sent_away_is_told_where_to_look(cluster, mistake, hint):
    async def main():
        async with bed_of(cluster) as bed:
            story, node = Story(), await bed.node()
            client = await bed.client(story, folder=cluster.node(OTHER), tls=mistake == "role")
            client.invite({NODE: node.link.port})
            await until(lambda: hint in client.away().get(NODE, ""))
            assert "it has not let us in" in client.away()[NODE]
            assert story.count("up") == 0

    asyncio.run(main())


@pytest.mark.parametrize("age", [30, -5], ids=["expired", "not yet valid"])
def test_a_client_whose_time_is_wrong_is_asked_about_the_clock_only(cluster, age):
    async def main():
        async with bed_of(cluster) as bed:
            story, node = Story(), await bed.node()
            client = await bed.client(story, folder=cluster.make(Role.CLIENT, age=age))
            client.invite({NODE: node.link.port})
            await until(lambda: "it refused us" in client.away().get(NODE, ""))
            assert "Is the clock of that machine right? Here it is 20" in client.away()[NODE]
            assert "role" not in client.away()[NODE]

    asyncio.run(main())


class Leaver:
    """The stream of a client that goes while an earlier one is waited for, or just before it is answered."""

    where = "127.0.0.1:1"
    peer = None
    reason = ""

    @property
    def closed(self) -> bool:
        return bool(self.reason)

    async def receive(self) -> object:
        return GOOD

    def trust(self) -> None:
        pass

    def send(self, message: object) -> None:
        raise StreamClosed("the connection was closed", where=self.where)


@pytest.mark.parametrize("when", ["while it waits", "before the answer"])
def test_a_client_that_goes_before_it_is_let_in_holds_nothing(cluster, when):
    async def main():
        async with bed_of(cluster) as bed:
            node, stream = await bed.node(), Leaver()

            async def settle(network: str) -> None:
                if when == "while it waits":
                    stream.reason = "the connection was closed"

            node.link._settle = settle
            with pytest.raises(StreamClosed, match="the connection was closed"):
                await node.link._join(stream, GOOD)
            assert [client for client, _ in node.admitted] == node.gone

    asyncio.run(main())
