"""What we lean on in distributed that it does not promise: when a new version breaks this, it shows here first."""

import asyncio
import inspect
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from distributed import Scheduler, Worker
from distributed.batched import BatchedSend
from distributed.comm import registry
from distributed.comm.core import BaseListener, Comm
from distributed.core import Server

from fission.engine.node.dask import ClientScheduler, NodeWorker
from fission.engine.transport.stream import MessageStream, PlainChannel
from kits.links import until


def parameters(function) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_a_scheduler_takes_what_we_tell_it_of_a_worker():
    ours = {
        "comm",
        "address",
        "name",
        "server_id",
        "status",
        "nthreads",
        "memory_limit",
        "now",
        "resources",
        "metrics",
        "services",
        "local_directory",
        "versions",
        "nanny",
        "extra",
        "stimulus_id",
    }
    wanted = inspect.signature(Scheduler.add_worker).parameters
    needed = {name for name, one in wanted.items() if one.default is inspect.Parameter.empty}
    assert ours <= set(wanted)
    assert needed - {"self"} <= ours


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (Server, ["handle_stream", "start_periodic_callbacks", "finished", "close", "handle_comm", "listen"]),
        (Scheduler, ["add_worker", "remove_worker", "handle_worker", "worker_send", "start_http_server"]),
        (Worker, ["heartbeat", "get_metrics", "batched_send", "start_http_server", "close"]),
        (BatchedSend, ["start", "send", "close", "closed", "abort"]),
        (BaseListener, ["on_connection", "start", "stop"]),
        (Comm, ["read", "write", "close", "abort", "closed"]),
        (registry.Backend, ["get_connector", "get_listener", "get_address_host", "resolve_address"]),
    ],
)
def test_what_we_replace_or_call_is_there(owner, names):
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


def test_their_arguments():
    assert {"comm", "extra"} <= parameters(Server.handle_stream)
    assert {"deserializers"} <= parameters(Comm.read)
    assert {"msg", "serializers", "on_error"} <= parameters(Comm.write)
    assert {"extensions", "plugins", "dashboard", "protocol"} <= parameters(Scheduler.__init__)
    assert {
        "contact_address",
        "memory_limit",
        "extensions",
        "metrics",
        "startup_information",
        "heartbeat_interval",
        "death_timeout",
        "local_directory",
    } <= parameters(Worker.__init__)
    assert {"local_directory", "needs_workdir"} <= parameters(Server.__init__)


class Ends:
    """A Scheduler and a Worker that are joined by a socket pair."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.asked: list[dict[str, object]] = []

    async def __aenter__(self) -> "Ends":
        one, other = socket.socketpair()
        self.theirs = MessageStream(PlainChannel(one), "client", "here")
        self.ours = MessageStream(PlainChannel(other), "node", "there")
        self.scheduler = ClientScheduler(
            lambda key: self.told.append(("came", key)),
            lambda key: self.told.append(("went", key)),
            {"post": lambda worker, data: self.told.append((worker, data))},
        )
        await self.scheduler
        key = "fission://10.0.0.1/7"
        self.worker = NodeWorker(self.ours, key, {"ask": lambda **what: self.asked.append(what)})
        taking = asyncio.ensure_future(self.scheduler.take(self.theirs, key))
        await self.worker
        await taking
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.close()
        await self.scheduler.close()
        assert self.ours.closed
        assert self.theirs.closed


def test_a_worker_comes_and_goes():
    async def main():
        path, folders = list(sys.path), set(Path(tempfile.gettempdir()).iterdir())
        async with Ends() as ends:
            key = "fission://10.0.0.1/7"
            assert ends.told == [("came", key)]
            assert list(ends.scheduler.workers) == [key]
            ends.scheduler.worker_send(key, {"op": "ask", "n": 1})
            ends.worker.send({"op": "post", "data": 2})
            await until(lambda: ends.asked and len(ends.told) > 1)
            assert ends.asked == [{"n": 1}]
            assert ends.told[1:] == [(key, 2)]
            await ends.worker.close()
            await until(lambda: len(ends.told) > 2)
            assert ends.told[2:] == [("went", key)]
            assert list(ends.scheduler.workers) == []
        assert sys.path == path
        left = set(Path(tempfile.gettempdir()).iterdir()) - folders
        assert not [one for one in left if "dask" in one.name or "fission-link" in one.name]

    asyncio.run(main())


def test_nothing_is_left_of_workers_that_are_gone():
    async def main():
        async with Ends() as ends:
            await ends.worker.close()
            await until(lambda: len(ends.told) > 1)
            here = asyncio.current_task()
            await until(lambda: asyncio.all_tasks() == {here})
            assert [len(one) for one in (ends.scheduler.stream_comms, ends.scheduler.aliases)] == [0, 0]

    asyncio.run(main())


def test_only_our_operations_are_obeyed_and_nothing_listens():
    async def main():
        listening = set(_listening())
        async with Ends() as ends:
            assert set(_listening()) == listening
            assert list(ends.scheduler.handlers) == ["register-worker"]
            assert ends.worker.handlers == {}
            for end in (ends.scheduler, ends.worker):
                running = {name for name, one in end.periodic_callbacks.items() if one.is_running()}
                assert running <= {"heartbeat", "keep-alive"}
                assert end.services == {}

    asyncio.run(main())


def _listening() -> list[str]:
    """Sockets of this process that listen."""
    inodes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            inodes.add(os.readlink(f"/proc/self/fd/{name}").removeprefix("socket:[").rstrip("]"))
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        rows = Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
        found += [row.split()[1] for row in rows if row.split()[3] == "0A" and row.split()[9] in inodes]
    return found


@pytest.mark.parametrize(
    "module",
    [
        "fission",
        "fission.runtime.job.process",
        "fission.engine.client.link",
        "fission.engine.node.link",
        "fission.management.cli.fission",
        "fission.management.commands.cluster.run",
        "fission.management.node.command",
    ],
)
def test_distributed_is_imported_by_who_runs_a_network_only(module):
    code = f"import sys, {module}; print([name for name in sys.modules if name in ('distributed', 'dask', 'tornado')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_a_node_needs_no_numpy_for_its_link():
    code = "import sys, fission.engine.node.dask; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
