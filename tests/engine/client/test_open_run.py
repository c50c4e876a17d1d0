"""Other terminals reach a run from its beginning, also while its nodes start."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fission.cluster import Outcome
from fission.core import base
from fission.core.jobs import ForwardingJob, SourceJob
from fission.core.network import Network
from fission.core.pipes import PicklePipe
from fission.engine.client.control_socket import ask_client
from fission.engine.client.embedded import EmbeddedNode
from fission.engine.client.embedded_nodes import EmbeddedNodes
from fission.engine.client.open_run import open_run
from fission.engine.client.presenter import RunObserver
from fission.engine.client.private.run_folder import private_folder
from kits.waiting import until


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def test_a_run_whose_nodes_never_start_is_seen_and_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    network, problems = Network.build(
        "net",
        [SourceJob(outputs=[PicklePipe(1)]), ForwardingJob(inputs=[PicklePipe(1)])],
        folder=str(folder),
    )
    assert not problems
    told: list[str] = []
    observer = SimpleNamespace(
        begin=lambda run: None,
        news=lambda job, text: told.append(text),
        log=lambda job, level, text: told.append(text),
        status=lambda reports, seconds: None,
        nodes=lambda nodes, missing: None,
        information=lambda places: None,
        placed=lambda placement: None,
        progress=lambda node, done, total: None,
    )

    def deaf(_slots: int) -> object:
        def command(_node: EmbeddedNode, _root: Path, _certs: Path | None) -> list[str]:
            return [sys.executable, "-S", "-c", "import time; time.sleep(60)"]

        return command

    async def ask(**request: object) -> dict[str, object] | None:
        return await asyncio.to_thread(ask_client, private_folder(folder), **request)

    async def scenario() -> None:
        with open_run(network, tmp_path, source=EmbeddedNodes(2, deaf)) as opened:  # type: ignore[arg-type]
            session = opened.begin(cast(RunObserver, observer))
            running = asyncio.create_task(session.run())
            async with asyncio.timeout(30):
                await until(lambda: any("waits for" in one for one in told), "the start takes long")
                answer = await ask(do="status")
                assert answer is not None
                view = cast(dict[str, object], answer["network"])
                assert view["phase"] == "gathering"
                processes = await ask(do="processes")
                assert processes is not None
                assert "client" in cast(dict[str, object], processes["processes"])
                assert await ask(do="stop", force=False) is not None
                outcome = await running
                assert outcome.end.outcome is not Outcome.FINISHED
                assert await ask(do="status") is None

    asyncio.run(scenario())
    assert "starts 2 node services on this machine" in told
    assert any(one.startswith("waits for the node service 127.0.0.2 (") for one in told)
