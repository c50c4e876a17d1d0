"""What a node keeps of its clients' files, and what it makes of it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fission.engine.files import blob_store, store
from fission.engine.files.blob_store import NoRoomError
from fission.engine.files.bundles import Bundle, ship
from fission.engine.files.manifest import Manifest, ManifestError
from fission.engine.files.provision import OriginalFiles, StoredFiles, operations
from fission.engine.files.store import Store, remove_tree
from fission.errors import RunError
from kits.bundles import Wire, code, put, tree
from kits.disks import fill, no_writes, small_disk

Open = Callable[..., Store]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Open]:
    """Open a node's store; called again, it is that of the node's next service."""
    opened: list[Store] = []

    def open_store(**more: Any) -> Store:
        for old in opened:
            old.close()
        opened.append(Store(tmp_path / "node", **more))
        return opened[-1]

    yield open_store
    for old in opened:
        old.close()
    remove_tree(tmp_path / "node")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two modules and a program."""
    root = tmp_path / "project"
    put(root, "demo/__init__.py", "")
    put(root, "demo/answer.py", "from demo.other import SIX\n\nANSWER = 7 * SIX\n")
    put(root, "demo/other.py", "SIX = 6\n")
    put(root, "demo/data/program", "#!/bin/sh\n").chmod(0o750)
    return root


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of a job."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def bring(bundle: Bundle, to: Store) -> None:
    asyncio.run(ship(Wire(to), [bundle]))


def test_modules_can_be_imported_from_the_code_path(node: Open, project: Path) -> None:
    here = node()
    bundle = code(project)
    bring(bundle, here)
    path = here.code_path(bundle.digest)
    found = subprocess.run(
        [sys.executable, "-c", "import demo.answer as a; print(a.ANSWER, a.__cached__, a.__file__)"],
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer, cached, file = found.stdout.split()
    assert answer == "42"
    assert file == str(path / "demo/answer.py")
    assert Path(cached).exists(), "compiled before"
    assert here.code_path(bundle.digest) == path, "made once"
    assert {entry.stat().st_mode & 0o777 for entry in path.rglob("*") if entry.is_file()} == {0o554, 0o444}


def test_what_cannot_be_compiled_is_there_nevertheless(node: Open, project: Path) -> None:
    put(project, "demo/wrong.py", "def (")
    here, bundle = node(), code(project)
    bring(bundle, here)
    assert tree(here.code_path(bundle.digest))["demo/wrong.py"] == b"def ("


def test_files_are_copied_with_their_modes(node: Open, project: Path, work: Path) -> None:
    here, bundle = node(), code(project)
    bring(bundle, here)
    put(work, "demo/other.py", "what a run has left")
    here.install(bundle.digest, work)
    assert tree(work) == tree(project)
    assert (work / "demo/data/program").stat().st_mode & 0o777 == 0o750
    (work / "demo/other.py").write_text("a job writes")
    second = work.parent / "second"
    second.mkdir()
    here.install(bundle.digest, second)
    assert tree(second) == tree(project)


def test_empty_folders_are_made(node: Open, work: Path) -> None:
    here, bundle = node(), Bundle(Manifest((), ("a", "b/c")), {})
    bring(bundle, here)
    here.install(bundle.digest, work)
    assert (work / "a").is_dir()
    assert (work / "b/c").is_dir()


def test_a_link_that_a_job_has_left_does_not_lead_out(node: Open, project: Path, work: Path) -> None:
    here, bundle = node(), code(project)
    bring(bundle, here)
    outside = put(work.parent, "outside/precious", "precious")
    (work / "demo").mkdir()
    (work / "demo/answer.py").symlink_to(outside)
    here.install(bundle.digest, work)
    assert outside.read_text() == "precious"
    assert not (work / "demo/answer.py").is_symlink()
    remove_tree(work / "demo")
    (work / "demo").symlink_to(outside.parent)
    with pytest.raises(RunError, match="work/demo: a link is in the place of a folder"):
        here.install(bundle.digest, work)
    assert [path.name for path in outside.parent.iterdir()] == ["precious"]


def test_a_folder_in_the_place_of_a_file(node: Open, project: Path, work: Path) -> None:
    here, bundle = node(), code(project)
    bring(bundle, here)
    (work / "demo/answer.py").mkdir(parents=True)
    with pytest.raises(RunError, match="the files of a network cannot be kept"):
        here.install(bundle.digest, work)
    assert not list(work.rglob(".fission-*"))


def test_the_next_service_still_has_it(node: Open, project: Path, work: Path) -> None:
    bundle = code(project)
    first = node()
    bring(bundle, first)
    old = first.code_path(bundle.digest)
    here = node()
    assert not old.exists(), "made anew"
    assert here.lacks([bundle.listing.plain()]) == []
    assert here.code_path(bundle.digest) == old
    node().install(bundle.digest, work)
    assert tree(work) == tree(project)


def test_contents_that_a_crash_has_spoiled_are_asked_for_again(node: Open, project: Path) -> None:
    bundle = code(project)
    bring(bundle, node())
    (answer,) = (file for file in bundle.listing.files if file.path == "demo/answer.py")
    place = project.parent / "node/.store/whole" / answer.digest
    for spoiled in (b"", b"x" * answer.size):
        place.write_bytes(spoiled)
        here = node()
        assert here.lacks([bundle.listing.plain()]) == [(answer.digest, 0)]
        bring(bundle, here)
        assert place.read_bytes() == (project / "demo/answer.py").read_bytes()


def test_what_is_not_there(node: Open, project: Path, work: Path) -> None:
    here, bundle = node(), code(project)
    with pytest.raises(RunError, match="the files of this network are not here"):
        here.install(bundle.digest, work)
    here.lacks([bundle.listing.plain()])
    with pytest.raises(RunError, match=r"demo/__init__\.py: a file of this network is not here"):
        here.code_path(bundle.digest)
    assert not list((project.parent / "node/.store/code").iterdir())


@pytest.mark.parametrize("digest", ["../../etc", "", "A" * 64, 5])
def test_digests_that_are_none(node: Open, work: Path, digest: Any) -> None:
    with pytest.raises(ManifestError, match="the digest of a list of files"):
        node().install(digest, work)


def test_parts_that_cannot_be_right(node: Open, project: Path) -> None:
    here, bundle = node(), code(project)
    assert here.put("a" * 64, 0, b"x") is False, "nobody asked for it"
    here.lacks([bundle.listing.plain()])
    file = bundle.listing.files[-1]
    for digest, offset, data in (
        (file.digest, -1, b"x"),
        (file.digest, 0, b"x" * 100),
        (file.digest, "0", b""),
        (5, 0, b""),
    ):
        with pytest.raises(ManifestError, match="a part of a content"):
            here.put(digest, offset, data)
    assert here.put(file.digest, 1, b"x") is False, "does not follow"


def test_parts_may_come_twice_and_overlap(node: Open, project: Path) -> None:
    here, bundle = node(), code(project)
    here.lacks([bundle.listing.plain()])
    file = next(file for file in bundle.listing.files if file.path == "demo/answer.py")
    data = (project / file.path).read_bytes()
    assert here.put(file.digest, 0, data[:5])
    assert here.put(file.digest, 0, data[:5])
    assert here.put(file.digest, 2, data[2:9])
    assert dict(here.lacks([bundle.listing.plain()]))[file.digest] == 9
    again = node()
    assert dict(again.lacks([bundle.listing.plain()]))[file.digest] == 9
    assert again.put(file.digest, 9, data[9:])
    assert again.put(file.digest, 9, data[9:])
    assert file.digest not in dict(again.lacks([bundle.listing.plain()]))


def test_a_wrong_content_is_dropped(node: Open, project: Path) -> None:
    here, bundle = node(), code(project)
    here.lacks([bundle.listing.plain()])
    file = next(file for file in bundle.listing.files if file.path == "demo/answer.py")
    assert here.put(file.digest, 0, b"x" * file.size) is False
    assert dict(here.lacks([bundle.listing.plain()]))[file.digest] == 0


def test_one_process_at_a_time(node: Open, tmp_path: Path) -> None:
    node()
    with pytest.raises(RunError, match="another process uses this folder"):
        Store(tmp_path / "node")


def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    put(tmp_path, "file")
    with pytest.raises(RunError, match=r"file.*: the files of a network cannot be kept"):
        Store(tmp_path / "file/root")


def test_a_disk_without_room(node: Open, project: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, bundle = node(), code(project)
    monkeypatch.setattr(blob_store, "free_bytes", lambda _folder: 1000)
    with pytest.raises(NoRoomError, match=r"there is not enough room .*found 1\.0 kB free"):
        here.lacks([bundle.listing.plain()])
    monkeypatch.undo()
    bring(bundle, here)
    monkeypatch.setattr(blob_store, "free_bytes", lambda _folder: 1000)
    assert here.lacks([bundle.listing.plain()]) == []
    with pytest.raises(NoRoomError, match="work: there is not enough room"):
        here.install(bundle.digest, work)


def test_a_disk_that_gets_full(node: Open, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, bundle = node(), code(project)
    here.lacks([bundle.listing.plain()])

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blob_store.BlobStore, "_append", refuse)
    with pytest.raises(NoRoomError, match="the disk is full"):
        here.put(bundle.listing.files[-1].digest, 0, b"S")


def test_what_is_unused_longest_goes_first(
    node: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = node(bound=250_000)
    monkeypatch.setattr(store, "_RECENT", 0.0)
    bundles = []
    for version in range(4):
        put(project, "demo/large.bin", bytes([version]) * 100_000)
        bundles.append(code(project))
        bring(bundles[-1], here)
        here.code_path(bundles[-1].digest)
        os.utime(project.parent / "node/.store/lists" / bundles[-1].digest, (version, version))
        if version == 0:
            here.keep([bundles[0].digest])
    here.collect()
    lists = {path.name for path in (project.parent / "node/.store/lists").iterdir()}
    assert lists == {bundles[0].digest, bundles[3].digest}
    assert {path.name for path in (project.parent / "node/.store/code").iterdir()} == lists
    assert here.lacks([bundles[3].listing.plain()]) == [], "what they have in common is still there"
    assert len(here.lacks([bundles[1].listing.plain()])) == 1
    monkeypatch.setattr(store, "_RECENT", 600.0)
    here.collect(0)
    left = {path.name for path in (project.parent / "node/.store/lists").iterdir()}
    assert left == {bundles[number].digest for number in (0, 1, 3)}, "what was asked for lately stays"


def test_contents_without_a_list_and_drafts_are_removed(node: Open, tmp_path: Path) -> None:
    node()
    put(tmp_path, f"node/.store/whole/{'a' * 64}", "x")
    put(tmp_path, f"node/.store/parts/{'b' * 64}", "x")
    put(tmp_path, "node/.store/lists/tmpdraft", "{")
    put(tmp_path, f"node/.store/lists/{'c' * 64}", "{")
    here = node()
    here.collect(0)
    assert not [
        path for path in (tmp_path / "node/.store").rglob("*") if path.is_file() and path.name != "lock"
    ]


def test_the_operations_of_a_node(node: Open) -> None:
    async def ask() -> list[Any]:
        table = operations(node())
        return [
            await table["bundle.lacks"]({"bundles": [{"files": [["../x", 0, 0, "a" * 64]], "folders": []}]}),
            await table["bundle.put"]({"parts": [["a" * 64, 0, b"x"]]}),
            await table["bundle.put"]({"parts": [["a" * 64, 0]]}),
        ]

    bad, unasked, short = asyncio.run(ask())
    assert "not allowed" in bad["error"]
    assert unasked == {"error": "", "whole": False}
    assert "2 items" in short["error"]


def test_files_for_jobs(node: Open, project: Path, work: Path) -> None:
    here, bundle = node(), code(project)
    bring(bundle, here)

    async def use(files: StoredFiles | OriginalFiles) -> Path:
        await files.install(bundle.digest, work)
        return await files.code_path(bundle.digest)

    path = asyncio.run(use(StoredFiles(here)))
    assert tree(path) == tree(work) == tree(project)
    remove_tree(work / "demo")
    assert asyncio.run(use(OriginalFiles(project, [bundle]))) == project
    assert tree(work) == tree(project)
    (project / "demo/other.py").unlink()
    with pytest.raises(RunError, match="the files of a job cannot be copied"):
        asyncio.run(use(OriginalFiles(project, [bundle])))


def test_a_listing_is_dropped_with_what_only_it_needs(node: Open, project: Path, tmp_path: Path) -> None:
    here = node()
    first = code(project)
    bring(first, here)
    here.code_path(first.digest)
    put(project, "demo/other.py", "SIX = 2 * 3\n")
    second = code(project)
    bring(second, here)
    here.keep([second.digest])
    here.drop([first.digest, second.digest, "no digest"])
    with pytest.raises(RunError, match="not here"):
        here.code_path(first.digest)
    assert (here.code_path(second.digest) / "demo/other.py").read_text() == "SIX = 2 * 3\n"
    here.keep([])
    here.drop([second.digest])
    assert tree(tmp_path / "node/.store/whole") == {}
    bring(second, here)
    assert (here.code_path(second.digest) / "demo/other.py").read_text() == "SIX = 2 * 3\n"


def test_a_full_disk_leaves_no_truncated_module(tmp_path: Path) -> None:
    lines = "".join(f'NAME_{number} = "{number:050d}"\n' for number in range(1500))
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        put(tmp_path / "project", "demo/__init__.py", "")
        put(tmp_path / "project", "demo/large.py", lines)
        folder = disk / "code"
        shutil.copytree(tmp_path / "project", folder)
        fill(disk, leave=40 << 10)  # a compiled module fits in part
        store.compile_modules(folder, folder)
        assert not list(folder.rglob("large*.pyc"))
        program = "import demo.large; assert demo.large.NAME_7"
        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)


def test_a_list_of_files_that_cannot_be_written_leaves_nothing(
    node: Open, project: Path, tmp_path: Path
) -> None:
    kept = node()
    bundle = code(project)
    before = set((tmp_path / "node").rglob("*"))
    with no_writes(), pytest.raises(RunError, match="cannot be kept"):
        kept.lacks([bundle.listing.plain()])
    assert set((tmp_path / "node").rglob("*")) == before
