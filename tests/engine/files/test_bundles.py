"""What of a project goes to the nodes."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from fission.engine.files import bundles
from fission.engine.files.bundles import HashCache, bundles_of, job_bundle
from fission.engine.files.manifest import from_plain
from fission.errors import ProjectError
from fission.project.job_files import own_code
from fission.project.job_files.dependencies import install_dependencies
from kits.bundles import Idle, code, network, put, tree


def paths(root: Path) -> list[str]:
    return [file.path for file in code(root).listing.files]


def test_modules_packages_and_their_data_go(tmp_path: Path) -> None:
    for path in (
        "helper.py",
        "demo/__init__.py",
        "demo/jobs/jobs.py",
        "demo/jobs/table.csv",
        "shared/pipes/p.py",
    ):
        put(tmp_path, path, path)
    assert paths(tmp_path) == [
        "demo/__init__.py",
        "demo/jobs/jobs.py",
        "demo/jobs/table.csv",
        "helper.py",
        "shared/pipes/p.py",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "manage.py",
        "README.md",
        "FISSION.log",
        "tests/test_it.py",
        "certs/helper.py",
        "with-dash/helper.py",
        "recordings/one.wav",
        ".hidden.py",
        ".emulate/1/helper.py",
        "demo/__pycache__/jobs.cpython-311.pyc",
        "demo/.secret",
        "demo/tests/test_jobs.py",
        "demo/simulation/1/helper.py",
        "demo/local/3/helper.py",
        "demo/collection/node.log",
        "demo/certs/client/cert.pem",
        "demo/jobs/key.pem",
        "demo/jobs/ca.key",
        "demo/jobs/old.log",
        "demo/source/program/main.c",
        "demo/venv/lib/module.py",
        "env/lib/module.py",
    ],
)
def test_what_stays_here(tmp_path: Path, path: str) -> None:
    put(tmp_path, "demo/venv/pyvenv.cfg")
    put(tmp_path, "env/pyvenv.cfg")
    put(tmp_path, "demo/__init__.py")
    put(tmp_path, path)
    assert paths(tmp_path) == ["demo/__init__.py"]


def test_folders_of_these_names_deeper_in_a_package_do_go(tmp_path: Path) -> None:
    for path in (
        "demo/jobs/local/a.py",
        "demo/jobs/source/b.py",
        "demo/jobs/tests/c.py",
        "demo/source/__init__.py",
    ):
        put(tmp_path, path)
    assert len(paths(tmp_path)) == 4


def test_the_log_of_a_run_stays_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path, "demo/a.py")
    put(tmp_path, "demo/run.txt")
    found = network(tmp_path)
    object.__setattr__(found.settings, "log_file", "demo/run.txt")
    assert [file.path for file in bundles.code_bundle(found, tmp_path).listing.files] == ["demo/a.py"]


def test_large_data_stays_and_a_warning_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_code, "LARGEST_DATA", 100)
    monkeypatch.setattr(own_code, "MOST_DATA", 150)
    put(tmp_path, "demo/a.py", "#" * 1000)
    for name, size in (("big", 101), ("one", 60), ("two", 80), ("three", 90)):
        put(tmp_path, f"demo/{name}.bin", b"x" * size)
    bundle = code(tmp_path)
    assert [file.path for file in bundle.listing.files] == ["demo/a.py", "demo/one.bin", "demo/two.bin"]
    (warning,) = bundle.warnings
    assert warning.startswith("demo/big.bin, demo/three.bin beside your modules")
    assert "DEPENDENCIES" in warning


def test_a_warning_does_not_name_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_code, "LARGEST_DATA", 1)
    put(tmp_path, "demo/a.py")
    for number in range(8):
        put(tmp_path, f"demo/{number}.bin", "xx")
    assert "demo/4.bin and 3 more beside" in code(tmp_path).warnings[0]


def test_the_digest_stands_for_names_contents_and_modes(tmp_path: Path) -> None:
    file = put(tmp_path, "demo/a.py", "1")
    digests = [code(tmp_path).digest]
    file.chmod(0o755)
    digests.append(code(tmp_path).digest)
    file.write_text("2")
    digests.append(code(tmp_path).digest)
    file.rename(tmp_path / "demo/b.py")
    digests.append(code(tmp_path).digest)
    (tmp_path / "demo/empty").mkdir()
    digests.append(code(tmp_path).digest)
    assert len(set(digests)) == 5
    assert code(tmp_path).digest == digests[-1]


def test_links_are_followed(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/b.py", "b")
    put(tmp_path, "project/demo/a.py", "a")
    (tmp_path / "project/demo/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "project/demo/c.py").symlink_to("a.py")
    assert paths(tmp_path / "project") == ["demo/a.py", "demo/c.py", "demo/link/b.py"]


def test_a_link_to_nowhere_and_one_that_leads_back(tmp_path: Path) -> None:
    put(tmp_path, "demo/a.py")
    link = tmp_path / "demo/link"
    link.symlink_to("nothing")
    with pytest.raises(ProjectError, match=r"demo/link: this link leads nowhere; found nothing"):
        code(tmp_path)
    link.unlink()
    link.symlink_to("..")
    with pytest.raises(ProjectError, match="leads back into itself"):
        code(tmp_path)
    link.unlink()
    link.symlink_to("link")
    with pytest.raises(ProjectError, match="demo/link: "):
        code(tmp_path)


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "demo/a.py")

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(bundles, "hash_file", refuse)
    with pytest.raises(ProjectError, match=r"demo/a\.py: it cannot be read: Permission denied"):
        code(tmp_path)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    put(tmp_path, "demo/a.py")
    try:
        open(os.fsencode(tmp_path / "demo") + b"/\xff.txt", "wb").close()
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    with pytest.raises(ProjectError, match=r"\\udcff\.txt': a file with this name cannot go to a node"):
        code(tmp_path)


def test_sockets_and_pipes_stay_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "demo/a.py")
    monkeypatch.chdir(tmp_path / "demo")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("plug")
    bundle = code(tmp_path)
    assert len(bundle.listing.files) == 1
    assert bundle.warnings == (
        "demo/pipe is not a file and is not copied",
        "demo/plug is not a file and is not copied",
    )


def test_a_job_gets_what_simulate_gives_it(tmp_path: Path) -> None:
    put(tmp_path, "demo/source/sum/program", "#!/bin/sh").chmod(0o755)
    put(tmp_path, "demo/source/sum/deep/table.txt", "1")
    put(tmp_path, "demo/source/sum/__pycache__/x.pyc")
    put(tmp_path, "demo/helper.py")
    (tmp_path / "demo/source/sum/out").mkdir()
    kind = type("Sum", (Idle,), {"DEPENDENCIES": ["source/sum", "demo/helper.py"], "__module__": "demo.jobs"})
    found = network(tmp_path, kind)
    bundle = job_bundle(found, found.jobs[0])
    folder = tmp_path / "work"
    folder.mkdir()
    install_dependencies(found, found.jobs[0], folder)
    assert [file.path for file in bundle.listing.files] == sorted(tree(folder))
    assert bundle.listing.folders == ("out",)
    assert (folder / "out").is_dir()
    assert {file.path: file.mode & 0o100 for file in bundle.listing.files}["program"]
    assert bundle.size == 10


def test_dependencies_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "demo/source").mkdir(parents=True)
    (tmp_path / "demo/source/link").symlink_to("nothing")
    kind = type("Sum", (Idle,), {"DEPENDENCIES": "source"})
    found = network(tmp_path, kind)
    with pytest.raises(ProjectError, match=r"job Sum 1: its dependencies cannot be used: .*leads nowhere"):
        job_bundle(found, found.jobs[0])


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "demo/source/lib/a.txt")
    put(tmp_path, "elsewhere/lib", "a program")
    kind = type("Sum", (Idle,), {"DEPENDENCIES": ["source", str(tmp_path / "elsewhere/lib")]})
    found = network(tmp_path, kind)
    with pytest.raises(ProjectError, match="lib: this is a file and a folder at once"):
        job_bundle(found, found.jobs[0])


def test_files_are_read_once_while_they_look_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path, "demo/a.py", "1")
    hashes, read = HashCache(), []
    hash_file = bundles.hash_file
    monkeypatch.setattr(bundles, "hash_file", lambda path: read.append(path) or hash_file(path))
    for _time in range(2):
        bundles.code_bundle(network(tmp_path), tmp_path, hashes)
    assert len(read) == 1
    file.write_text("22")
    bundles.code_bundle(network(tmp_path), tmp_path, hashes)
    assert len(read) == 2


def test_all_bundles_of_a_network(tmp_path: Path) -> None:
    put(tmp_path, "demo/a.py")
    found = network(tmp_path)
    modules, jobs = asyncio.run(bundles_of(found, tmp_path))
    assert [file.path for file in modules.listing.files] == ["demo/a.py"]
    assert jobs.keys() == {1}
    assert not jobs[1].listing.files
    assert from_plain(modules.listing.plain()) == modules.listing
