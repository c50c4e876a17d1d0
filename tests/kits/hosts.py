"""Helpers for tests of job hosts and node services: a module with jobs, orders, a store, and events to wait for."""

import asyncio
import importlib
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fission.core.jobs import BaseJob
from fission.engine.host.job_host import JobHost
from fission.engine.host.job_spec import pickle_job
from fission.engine.protocol.interfaces import JobOrder
from fission.runtime.messages import JobSpec
from kits.waiting import until

MODULE = "jobs_of_host_tests"
JOBS = """
import os, signal, subprocess, sys, time
from fission.core.jobs import PythonJob

class Talker(PythonJob):
    def setup(self):
        print("hello from", os.getcwd(), flush=True)
        open("mine.txt", "a").write("x")
    def run(self):
        time.sleep(0.01)

class Ender(PythonJob):
    def run(self):
        self.finish()

class Raiser(PythonJob):
    def run(self):
        raise ValueError("no good")

class Stubborn(PythonJob):
    def setup(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.apart = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        print("children", self.child.pid, self.apart.pid, flush=True)
    def run(self):
        time.sleep(600)

class Dice(PythonJob):
    def setup(self):
        import random, uuid
        import numpy
        print(random.random())
        print(numpy.random.random())
        print(uuid.uuid4())
    def run(self):
        self.finish()

class Flood(PythonJob):
    def run(self):
        for number in range(1000):
            print(number)
"""


def make_jobs(folder: Path) -> Any:
    """Write the module with the jobs, and import it."""
    folder.mkdir(exist_ok=True)
    (folder / f"{MODULE}.py").write_text(JOBS)
    sys.path.insert(0, str(folder))
    try:
        sys.modules.pop(MODULE, None)
        importlib.invalidate_caches()
        return importlib.import_module(MODULE)
    finally:
        sys.path.remove(str(folder))


def order(
    job: BaseJob, run: str = "run1", incarnation: int = 1, network: str = "net", **more: Any
) -> JobOrder:
    """Return an order to start a job, as a client sends it."""
    spec = JobSpec(
        run=run,
        job_id=job.id,
        name=job.name,
        incarnation=incarnation,
        folder="",
        sys_path=(),
        listen="",
        head_size=1,
        log_level="INFO",
        needed_blocks={},
        queue_limits={},
        job=pickle_job(job),
        resume=incarnation > 1,
    )
    return JobOrder(**{"network": network, "root": "", "spec": spec, "code": "code", "files": "", **more})


@dataclass
class Store:
    """A store with every bundle: bundles are folders, and `code` is the folder with the modules."""

    code: Path
    bundles: dict[str, Path] = field(default_factory=dict)
    gate: asyncio.Event | None = None

    async def install(self, digest: str, folder: Path) -> None:
        if self.gate is not None:
            await self.gate.wait()
        shutil.copytree(self.bundles[digest], folder, dirs_exist_ok=True)

    async def code_path(self, digest: str) -> Path:
        assert digest == "code"
        return self.code


@dataclass
class Events:
    """The events that a host has reported."""

    seen: list[Any] = field(default_factory=list)

    def __call__(self, network: str, run: str, event: Any) -> None:
        self.seen.append(event)

    def of(self, *kinds: type, incarnation: int | None = None) -> list[Any]:
        return [
            event
            for event in self.seen
            if isinstance(event, kinds) and incarnation in (None, getattr(event, "incarnation", None))
        ]

    async def wait(self, *kinds: type, incarnation: int | None = None) -> Any:
        """Wait for an event of these kinds; return the first."""
        await until(lambda: self.of(*kinds, incarnation=incarnation), f"{kinds} among {self.seen}")
        return self.of(*kinds, incarnation=incarnation)[0]


def make_host(root: Path, store: Store, events: Events, **more: Any) -> JobHost:
    """Return a host with the address 127.0.0.1."""
    homes = more.pop("homes", lambda one: root / one.network)
    return JobHost(
        "127.0.0.1", "127.0.0.1", homes=homes, place=str(root), store=store, on_event=events, **more
    )
