"""What a list of files may say."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.engine.files.manifest import (
    File,
    Manifest,
    ManifestError,
    decoded,
    from_plain,
    readable,
    safe_path,
)

A, B = "a" * 64, "b" * 64

tricky = st.text(alphabet=st.sampled_from("./\\\0\n ~a:é\ud800"), max_size=12) | st.text(max_size=30)


@given(tricky)
def test_a_path_stays_in_its_folder_or_is_refused(text: str) -> None:
    try:
        path = safe_path(text)
    except ManifestError:
        return
    folder = Path("/some/folder")
    found = Path("/some/folder/" + path)
    assert folder in found.parents
    assert ".." not in found.parts
    assert "\0" not in path
    assert str(found) == f"/some/folder/{path}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        "a\0b",
        "x" * 256,
        "x/" * 600 + "x",
        5,
    ],
)
def test_paths_that_are_refused(path: object) -> None:
    with pytest.raises(ManifestError, match="the path of a file"):
        safe_path(path)


names = st.text(alphabet=string.ascii_lowercase + "é .", min_size=1, max_size=4).filter(
    lambda name: set(name) != {"."}
)


@given(st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), unique=True), st.data())
def test_lists_survive_the_wire(paths: list[str], data: st.DataObject) -> None:
    apart = [
        path
        for path in sorted(paths)
        if not any(other != path and other.startswith(f"{path}/") for other in paths)
    ]
    files = tuple(
        File(path, size := data.draw(st.integers(0, 3)), data.draw(st.integers(0, 0o777)), f"{size:064x}")
        for path in apart
    )
    listing = Manifest(files[::2], tuple(file.path for file in files[1::2]))
    assert from_plain(listing.plain()) == listing
    assert decoded(listing.encoded()).digest == listing.digest


@pytest.mark.parametrize(
    ("files", "folders", "message"),
    [
        ([["a", 1, 0o644]], [], "an entry"),
        ([["a", -1, 0o644, A]], [], "size or mode"),
        ([["a", 1, 0o4755, A]], [], "size or mode"),
        ([["a", True, 0o644, A]], [], "size or mode"),
        ([["a", 1, 0o644, "../../etc"]], [], "digest"),
        ([["a", 1, 0o644, A.upper()]], [], "digest"),
        ([["a", 1, 0o644, A], ["b", 2, 0o644, A]], [], "two sizes"),
        ([["b", 1, 0o644, A], ["a", 1, 0o644, A]], [], "order"),
        ([["a", 1, 0o644, A], ["a", 1, 0o644, A]], [], "twice"),
        ([["a", 1, 0o644, A]], ["a"], "twice"),
        ([["a", 1, 0o644, A], ["a/b", 1, 0o644, B]], [], "a file and a folder"),
        ([["a", 1, 0o644, A]], ["a/b/c"], "a file and a folder"),
        ("abc", [], "a list of files"),
        ([], [5], "no text"),
    ],
)
def test_lists_that_are_refused(files: object, folders: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        from_plain({"files": files, "folders": folders})


@pytest.mark.parametrize("value", [None, [], {}, {"files": []}, {"files": [], "folders": [], "more": 1}])
def test_what_is_no_list(value: object) -> None:
    with pytest.raises(ManifestError, match="a list of files was expected"):
        from_plain(value)


def test_bytes_that_are_no_list() -> None:
    with pytest.raises(ManifestError, match="no JSON"):
        decoded(b"\xff")


def test_sizes_for_people() -> None:
    assert [readable(size) for size in (0, 999, 1500, 2_000_000, 3.4e9)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2.0 MB",
        "3.4 GB",
    ]
