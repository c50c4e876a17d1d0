"""The folders of a network's jobs, made by several threads at once."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fission.engine.files.locks import lock_folder
from fission.engine.host.work_folders import WorkFolders, files_root, node_work_folder
from fission.engine.protocol.interfaces import JobOrder
from fission.errors import RunError
from fission.runtime.messages import JobSpec
from kits.disks import no_writes


def order(job: int, run: str = "run1", *, resume: bool = False) -> JobOrder:
    spec = JobSpec(
        run=run,
        job_id=job,
        name=f"Job {job}",
        incarnation=1,
        folder="",
        sys_path=(),
        listen="",
        head_size=1,
        log_level="INFO",
        needed_blocks={},
        queue_limits={},
        job=b"",
        resume=resume,
    )
    return JobOrder(network="net", root="", spec=spec, code="", files="")


def test_remote_root_is_used_where_the_service_may_write(tmp_path: Path) -> None:
    own = tmp_path / "own"
    wanted = tmp_path / "home/pi/fission"  # made when the first job starts
    assert files_root(own, str(wanted)) == wanted
    assert node_work_folder(own, replace(order(1), root=str(wanted))) == wanted / "net"
    assert files_root(own, "") == own


def test_elsewhere_the_folder_of_the_service_takes_its_place(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (tmp_path / "home").write_text("no folder can be made below a file, by root neither")
    assert files_root(own, str(tmp_path / "home/pi/fission")) == own
    assert node_work_folder(own, replace(order(1), root=str(tmp_path / "home/pi"))) == own / "net"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_another_account(tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir(mode=0o500)
    assert files_root(tmp_path / "own", str(tmp_path / "pi/fission")) == tmp_path / "own"


def test_jobs_that_start_together_do_not_hold_the_home_against_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def lock(folder: Path) -> bool:
        locked = lock_folder(folder)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # for a second thread, which should not come
        return locked

    monkeypatch.setattr("fission.engine.host.work_folders.lock_folder", lock)
    homes, home = WorkFolders(), tmp_path / "net"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda job: homes.prepare(home, order(job)), range(1, 5)))
    assert [one.work.name for one in made] == ["1", "2", "3", "4"]


def test_a_full_disk_does_not_empty_the_folders_of_a_job(tmp_path: Path) -> None:
    folders = WorkFolders()
    made = folders.prepare(tmp_path / "net", order(1))
    (made.work / "out.csv").write_text("rows")
    with no_writes():
        assert folders.prepare(tmp_path / "net", order(1, resume=True)) == made
    assert folders.prepare(tmp_path / "net", order(1, resume=True)) == made
    assert (made.work / "out.csv").read_text() == "rows"


def test_a_run_that_cannot_be_noted_leaves_nothing_half_written(tmp_path: Path) -> None:
    folders = WorkFolders()
    made = folders.prepare(tmp_path / "net", order(1))
    with no_writes(), pytest.raises(RunError, match="folder cannot be prepared"):
        folders.prepare(tmp_path / "net", order(1, "run2"))
    (made.state / "old").touch()
    folders.prepare(tmp_path / "net", order(1, "run2", resume=True))
    assert not (made.state / "old").exists()  # it is of another run


@pytest.mark.parametrize("note", [b"", b"\xff\xfe", b"run", b"run1\n", bytes(1000)])
def test_a_damaged_note_of_the_run_counts_as_another_run(tmp_path: Path, note: bytes) -> None:
    folders = WorkFolders()
    made = folders.prepare(tmp_path / "net", order(1))
    (made.state / "old").touch()
    (made.state.parent / "1.run").write_bytes(note)
    folders.prepare(tmp_path / "net", order(1, resume=True))
    assert not (made.state / "old").exists()
