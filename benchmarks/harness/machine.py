"""The machine and the versions of a measurement, and the load of other processes meanwhile."""

import os
import platform
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from benchmarks.subjects import ROOT


def describe() -> dict[str, str]:
    """Return machine and versions as text, in the order to show them."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before (1, 5, 15 min)": load,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "fission": f"{_version('fission')}, {_commit()}",
    } | {name: _version(name) for name in ("numpy", "pyzmq", "psutil")}


class ForeignLoad:
    """Measures how much of the machine's processor time others used between making it and `share()`."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def share(self) -> float:
        """Fraction of all cores that others used, the kernel and the hypervisor included.

        Our processes count when they have ended and have been waited for, so ask after the run.
        """
        wall = (time.monotonic() - self._start) * (os.cpu_count() or 1)
        foreign = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, foreign / wall)


def bare_memory() -> dict[str, float]:
    """Resident size in bytes of a bare interpreter, without and with numpy, measured by starting one."""
    code = "from benchmarks.probe.process import memory; print(memory().get('rss', 0))"
    sizes = {}
    for name, imports in (("python", ""), ("python with numpy", "import numpy; ")):
        command = [sys.executable, "-c", imports + code]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        sizes[name] = float(done.stdout)
    return sizes


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    try:
        revision = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "src")
    except (OSError, subprocess.CalledProcessError):
        return "no commit known"
    return f"commit {revision}" + (", with changes that are not committed" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _busy_seconds() -> float:
    """Seconds that all cores together were not idle since boot; 0 where /proc/stat is missing."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
