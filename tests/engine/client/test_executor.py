"""What the client's hands do when a node, or what was sent to it, is not as it should be."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fission.cluster import NodeRefused
from fission.engine.client.executor import InstructionExecutor
from fission.engine.protocol.interfaces import ClientLink
from fission.errors import RunError

NODE = "127.0.0.2"


def hands(events: list[Any]) -> InstructionExecutor:
    network = SimpleNamespace(name="net", nodes=(), settings=SimpleNamespace(pre_copy=False))
    return InstructionExecutor(
        cast("Any", network),
        "run",
        local=cast("Any", None),
        orders=cast("Any", None),
        bundles=[cast("Any", SimpleNamespace(digest="d"))],
        on_event=events.append,
    )


def test_a_transfer_is_tried_again_whatever_went_wrong() -> None:
    async def main() -> None:
        engine, sent = hands([]), []

        async def send(node: str, digest: str) -> None:
            sent.append(digest)
            if len(sent) == 1:
                raise PermissionError("the file cannot be read")

        vars(engine)["_send"] = send
        with pytest.raises(PermissionError):
            await engine._ship(NODE, "d")
        await engine._ship(NODE, "d")
        await engine._ship(NODE, "d")
        assert len(sent) == 2
        await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize("hello", [{}, {"versions": {}}, None, [1]])
def test_a_node_that_introduces_itself_badly_is_refused(hello: Any) -> None:
    async def main() -> None:
        events: list[Any] = []
        engine = hands(events)

        async def request(_node: str, operation: str, **_more: Any) -> Any:
            return hello if operation == "hello" else []

        engine.link = cast("ClientLink", SimpleNamespace(request=request))
        engine._early[NODE] = []
        await engine._greet(NODE)
        (refused,) = events
        assert isinstance(refused, NodeRefused)
        assert "what it says of itself cannot be understood" in refused.differences[0]
        assert NODE not in engine._early
        await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize("where", ["/root/.store", NODE])
def test_what_goes_wrong_before_a_job_is_started_is_told_with_its_node(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        engine = hands([])

        async def send(_node: str, _digest: str) -> None:
            raise RunError("there is not enough room", where=where)

        vars(engine)["_send"] = send
        await engine._prepare(NODE)
        await engine._pre_copy(NODE)
        await engine.close()

    asyncio.run(main())
    text = f"{NODE}: there is not enough room"
    assert (
        caplog.messages == [text if where == NODE else f"node {NODE}: {where}: there is not enough room"] * 2
    )
