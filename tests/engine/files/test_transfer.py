"""Files arrive at a node, whatever happens on the way."""

import asyncio
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fission.engine.files import transfer
from fission.engine.files.bundles import Bundle, Source, ship
from fission.engine.files.manifest import CHUNK, File, Manifest, hash_file
from fission.engine.files.store import Store, remove_tree
from fission.engine.protocol.interfaces import LinkError
from fission.errors import ProjectError, RunError
from kits.bundles import Wire, code, put, tree


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Store]:
    """The store of a node."""
    opened = Store(tmp_path / "node")
    yield opened
    opened.close()
    remove_tree(tmp_path / "node")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_PAUSE", 0.001)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with many small files and some that need many chunks."""
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    random, root = Random(5), tmp_path / "project"
    for number in range(60):
        put(root, f"demo/m{number}.py", f"# {number}\n" * random.randrange(20))
    for number in range(3):
        put(root, f"demo/data{number}.bin", random.randbytes(20_000 + number))
    put(root, "demo/twice.bin", (root / "demo/data0.bin").read_bytes())
    return root


def check(bundle: Bundle, here: Store, project: Path, folder: Path) -> None:
    folder.mkdir()
    here.install(bundle.digest, folder)
    assert tree(folder) == tree(project)


def test_everything_once(here: Store, project: Path, tmp_path: Path) -> None:
    bundle, wire, seen = code(project), Wire(here), []
    asyncio.run(ship(wire, [bundle, bundle], lambda done, total: seen.append((done, total))))
    check(bundle, here, project, tmp_path / "work")
    total = sum(bundle.listing.contents().values())
    assert wire.bytes == total < bundle.size
    assert {entry[1] for entry in seen} == {total}
    assert seen[-1] == (total, total)
    assert [done for done, _total in seen] == sorted(done for done, _total in seen)
    assert wire.asked.count("bundle.put") < 100
    again = Wire(here)
    asyncio.run(ship(again, [bundle]))
    assert again.asked == ["bundle.lacks"]


@pytest.mark.parametrize("seed", range(10))
def test_a_link_that_drops_repeats_corrupts_and_cuts(
    here: Store, project: Path, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)

    def harm(number: int, operation: str, arguments: dict[str, Any]) -> LinkError | None:
        if random.random() < 0.05:
            raise LinkError("the link is cut")
        if operation != "bundle.put":
            return None
        parts = [list(part) for part in arguments["parts"]]
        what = random.random()
        if what < 0.05:
            parts.append(parts[0])
        elif what < 0.1:
            del parts[random.randrange(len(parts))]
        elif what < 0.11 and parts[0][2]:
            parts[0][2] = bytes([parts[0][2][0] ^ 1]) + parts[0][2][1:]
        arguments["parts"] = parts
        return LinkError("the answer is lost") if random.random() < 0.05 else None

    wire = Wire(here, harm)
    bundle = code(project)
    asyncio.run(ship(wire, [bundle]))
    check(bundle, here, project, tmp_path / "work")


def test_it_goes_on_where_it_was(here: Store, project: Path, tmp_path: Path) -> None:
    bundle = code(project)
    total = sum(bundle.listing.contents().values())

    def cut(number: int, _operation: str, _arguments: dict[str, Any]) -> None:
        if number > 40:
            raise LinkError("the node is gone")

    first = Wire(here, cut)
    with pytest.raises(LinkError, match="the node is gone"):
        asyncio.run(ship(first, [bundle]))
    second = Wire(here)
    asyncio.run(ship(second, [bundle]))
    assert first.bytes + second.bytes <= total + 4 * 1000
    check(bundle, here, project, tmp_path / "work")


def test_two_clients_at_once(here: Store, project: Path, tmp_path: Path) -> None:
    bundle, wire = code(project), Wire(here)

    async def both() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(ship(wire, [bundle]) for _client in range(3)))

    asyncio.run(both())
    check(bundle, here, project, tmp_path / "work")


def test_what_never_arrives_whole_is_given_up(here: Store, project: Path) -> None:
    def spoil(_number: int, operation: str, arguments: dict[str, Any]) -> None:
        for part in arguments.get("parts", ()):
            part[2] = b"x" * len(part[2])

    with pytest.raises(RunError, match=r"do not arrive whole|spoiled again and again"):
        asyncio.run(ship(Wire(here, spoil), [code(project)]))


def test_what_arrives_spoiled_again_and_again_is_given_up(
    here: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    put(tmp_path, "project/demo/large.py", "#" * 10_000)

    def spoil_and_cut(number: int, operation: str, arguments: dict[str, Any]) -> None:
        if number % 8 == 0:
            raise LinkError("the link is cut")
        for part in arguments.get("parts", ()):
            part[2] = b"x" * len(part[2])

    with pytest.raises(RunError, match=r"large\.py: a file arrives spoiled again and again"):
        asyncio.run(ship(Wire(here, spoil_and_cut), [code(tmp_path / "project")]))


def test_a_node_that_refuses_is_not_asked_again(
    here: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(here)
    monkeypatch.setattr("fission.engine.files.blob_store.free_bytes", lambda _folder: 0)
    with pytest.raises(RunError, match="not enough room"):
        asyncio.run(ship(wire, [code(project)]))
    assert len(wire.asked) == 1


def test_a_node_that_asks_for_something_else(project: Path) -> None:
    async def strange(_operation: str, **_arguments: Any) -> Any:
        return {"error": "", "missing": [["f" * 64, 0]]}

    with pytest.raises(RunError, match="a content that is in no bundle"):
        asyncio.run(ship(strange, [code(project)]))


@pytest.mark.parametrize("change", ["vanish", "grow", "rewrite"])
def test_a_file_that_changes_meanwhile(here: Store, project: Path, change: str) -> None:
    bundle, file = code(project), project / "demo/data1.bin"
    if change == "vanish":
        file.unlink()
    elif change == "grow":
        file.write_bytes(file.read_bytes() + b"more")
    else:
        os.utime(file, (1, 1))
    with pytest.raises(
        ProjectError, match=r"data1\.bin: this file was changed while the network was started"
    ):
        asyncio.run(ship(Wire(here), [bundle]))


def test_two_hundred_megabytes_need_little_memory(here: Store, tmp_path: Path) -> None:
    large, size = tmp_path / "large.bin", 200 << 20
    with large.open("wb") as file:
        file.truncate(size)
    digest, about = hash_file(large), large.stat()
    bundle = Bundle(
        Manifest((File("large.bin", size, 0o644, digest),)), {digest: Source(large, size, about.st_mtime_ns)}
    )
    wire = Wire(here)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    asyncio.run(ship(wire, [bundle]))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert grown < 50 * CHUNK
    assert here.lacks([bundle.listing.plain()]) == []


def test_the_loop_stays_free(here: Store, project: Path) -> None:
    """File work happens in threads: while a transfer runs, other tasks get their turns."""

    async def run() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(turn())
        wire = Wire(here)
        await ship(wire, [code(project)])
        other.cancel()
        return turns - len(wire.asked)

    assert asyncio.run(run()) > 0
