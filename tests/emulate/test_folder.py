"""The working directory of an emulated job."""

import os
import tempfile

import emulated_jobs as own
import pytest

from fission.core.network import Network, Settings
from fission.core.pipes import PicklePipe
from fission.errors import ProjectError


def sink(pipe=1, **attributes):
    job = own.SinkJob([PicklePipe(pipe)])
    vars(job).update(attributes)
    return job


def test_it_is_emptied_at_the_start_and_kept_at_the_end(make, root):
    job = sink()
    emulator = make(job)
    emulator("first")
    (emulator.cwd / "folder").mkdir()
    emulator.kill()
    assert (root / ".emulate" / "1" / "got.txt").read_text() == "first\n"
    again = make(job)
    assert again.cwd == root / ".emulate" / "1"
    assert list(again.cwd.iterdir()) == []


def test_another_emulator_of_the_same_job_gets_another_one(make, root):
    job = sink()
    one, two = make(job), make(job)
    assert (one.cwd.name, two.cwd.name) == ("1", "1-2")
    one("one")
    two("two")
    assert (one.cwd / "got.txt").read_text() == "one\n"
    assert (two.cwd / "got.txt").read_text() == "two\n"
    one.kill()
    assert make(job).cwd.name == "1"


def test_it_is_not_for_git(make, root):
    make(sink())
    assert (root / ".emulate" / ".gitignore").read_text() == "*\n"


def test_the_project_is_found_from_a_folder_below(make, root, monkeypatch):
    (root / "demo" / "tests").mkdir(parents=True)
    monkeypatch.chdir(root / "demo" / "tests")
    assert make(sink()).cwd == root / ".emulate" / "1"


def test_without_a_project_it_is_in_the_working_directory(make, tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert make(sink()).cwd == folder / ".emulate" / "1"


def test_a_root_may_be_given(make, tmp_path):
    (tmp_path / "there").mkdir()
    assert make(sink(), root=tmp_path / "there").cwd == tmp_path / "there" / ".emulate" / "1"


def test_dependencies_lie_in_it(make, root):
    (root / "data").mkdir()
    (root / "data" / "table.txt").write_text("1")
    assert (make(sink(DEPENDENCIES="data")).cwd / "table.txt").read_text() == "1"


def test_dependencies_of_a_network(make, root):
    (root / "net" / "source").mkdir(parents=True)
    (root / "net" / "source" / "table.txt").write_text("2")
    job = sink(DEPENDENCIES=["source"])
    network = Network("net", (job,), (), Settings(), str(root / "net"), edges=())
    assert (make(job, network=network).cwd / "table.txt").read_text() == "2"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_that_cannot_be_written(make, root):
    root.chmod(0o500)
    with pytest.raises(ProjectError, match=r"folder of the emulated job.*check who owns it"):
        make(sink())
    root.chmod(0o700)


def test_a_file_in_its_place(make, root):
    (root / ".emulate").write_text("")
    with pytest.raises(ProjectError, match="cannot be prepared"):
        make(sink())


def test_nothing_is_left_in_the_folder_for_temporary_files(make, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    emulator = make(sink())
    assert set(tmp_path.iterdir()) == before
    assert emulator(1) == []


def test_the_process_of_a_fork_does_not_end_the_job(make):
    emulator = make(own.QuietJob([PicklePipe(1)], [PicklePipe(2)]))
    child = os.fork()
    if child == 0:
        emulator.kill()
        os._exit(0)
    os.waitpid(child, 0)
    assert emulator(5) == [5]
