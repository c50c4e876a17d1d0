"""Disks that fail: the error names the machine whose disk it is; and clients that their owner has closed."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest

from fission.engine.checkpoints.client import CheckpointClient
from fission.engine.checkpoints.replicator import CheckpointReplicator
from fission.engine.checkpoints.server import CheckpointServer
from fission.engine.checkpoints.store import CheckpointStore
from fission.errors import RunError
from kits.checkpoints import KEY, STATE, entry, order_for, place, talk


class FullFile(io.BytesIO):
    """A file on a disk that is full after the first bytes."""

    def write(self, _data: Any) -> int:
        raise OSError(28, "No space left on device")


def fill(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the disk be full for all that is written in a folder."""

    def open_(path: Path, mode: str = "r", *more: Any, real: Any = Path.open, **others: Any) -> Any:
        if folder in path.parents and mode[0] in "wa":
            real(path, mode, *more, **others).close()
            return FullFile()
        return real(path, mode, *more, **others)

    patch.setattr(Path, "open", open_)


@pytest.mark.parametrize("size", [5, 3 << 20])
def test_a_replica_reports_that_its_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    state, one = bytes(size), entry(5, bytes(size))

    async def story(link: CheckpointClient) -> None:
        assert await link.fence(KEY, 1) == ()  # the link has been used: it might have been closed since then
        used = link._rpc
        with monkeypatch.context() as patch:
            fill(patch, tmp_path / "states")
            for _ in range(2):
                with pytest.raises(RunError, match="No space left on device") as error:
                    await link.put(KEY, 1, one, (1, 0), io.BytesIO(state))
                assert "does not answer" not in str(error.value)
        assert link._rpc is used  # so it was sent once only
        assert await link.put(KEY, 1, one, (1, 0), io.BytesIO(state))

    talk(CheckpointStore(tmp_path / "states"), None, None, story)
    assert caplog.text.count("No space left on device") == 1
    assert not list((tmp_path / "states").glob(".drafts/*"))


def test_a_replica_that_cannot_make_drafts_reports_it(tmp_path: Path) -> None:
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / ".drafts").write_text("in the way")

    async def story(link: CheckpointClient) -> None:
        size = 3 << 20
        with pytest.raises(RunError, match="cannot be stored or read: File exists"):
            await link.put(KEY, 1, entry(5, bytes(size)), (1, 0), io.BytesIO(bytes(size)))
        assert await link.put(KEY, 1, entry(5), (1, 0), io.BytesIO(STATE))

    talk(CheckpointStore(tmp_path / "states"), None, None, story)


@pytest.mark.parametrize("size", [5, 3 << 20])
def test_a_full_disk_here_is_not_blamed_on_the_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    store = CheckpointStore(tmp_path / "states")
    server = CheckpointServer(store, None)

    async def story() -> None:
        replicator = CheckpointReplicator(None)
        try:
            order = order_for(server.listen("127.0.0.1"))
            place(server)
            with monkeypatch.context() as patch:
                fill(patch, tmp_path / "job")
                with pytest.raises(RunError, match="cannot be written: No space left") as error:
                    await replicator.fetch(order, tmp_path / "job")
            assert "does not answer" not in str(error.value)
            assert not list((tmp_path / "job").iterdir())
            (brought,) = await replicator.fetch(order, tmp_path / "job")
            assert Path(brought.path).stat().st_size == size
        finally:
            replicator.close()
            await server.close()

    (tmp_path / "job").mkdir()
    store.put(KEY, 1, entry(5, bytes(size)), (1, 0), bytes(size))
    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_state_that_cannot_be_read_is_no_fault_of_the_replica(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    async def story(link: CheckpointClient) -> None:
        for size in (5, 3 << 20):
            with pytest.raises(RunError, match="a state cannot be read; found Input/output error"):
                await link.put(KEY, 1, entry(5, bytes(size)), (1, 0), Broken(bytes(size)))
        assert await link.put(KEY, 1, entry(5), (1, 0), io.BytesIO(STATE))

    talk(CheckpointStore(tmp_path), None, None, story)


def test_a_link_that_was_closed_keeps_no_connection(tmp_path: Path) -> None:
    async def story(link: CheckpointClient) -> None:
        first = asyncio.create_task(link.fence(KEY, 1))
        second = asyncio.create_task(link.fence(KEY, 1))
        async with asyncio.timeout(10):
            while link._rpc is None:
                await asyncio.sleep(0)
        link.close()  # its owner has dropped it, while one is asking and one waits
        await asyncio.gather(first, second, return_exceptions=True)
        assert link._rpc is None
        assert await link.fence(KEY, 1) == ()  # whoever still has it may ask
        assert link._rpc is None

    talk(CheckpointStore(tmp_path), None, None, story)
