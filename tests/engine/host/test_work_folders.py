"""The folders of a network's jobs, made by several threads at once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fission.engine.files.locks import lock_folder
from fission.engine.host.work_folders import WorkFolders
from fission.engine.protocol.interfaces import JobOrder
from fission.runtime.messages import JobSpec


def order(job: int) -> JobOrder:
    spec = JobSpec(
        run="run1",
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
    )
    return JobOrder(network="net", root="", spec=spec, code="", files="")


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
