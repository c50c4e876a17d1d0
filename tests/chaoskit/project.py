"""A chaos network on disk, and its output."""

import os
import subprocess
import sys
from pathlib import Path

from chaoskit.plan import SOURCES, JobPlan, NetworkPlan
from fission.project.scaffold import start_project

NAME = "chaos"
DELAY = "FISSION_CHAOS_DELAY"


class ChaosProject:
    """A project with one network, `chaos`, whose sources send so many blocks each."""

    def __init__(self, folder: Path, plan: NetworkPlan, blocks: int, settings: str = "") -> None:
        self.plan = plan
        self.blocks = blocks
        self.root = start_project(folder, "project")
        network = self.network = self.root / NAME
        (network / "jobs").mkdir(parents=True)
        for package in (network, network / "jobs"):
            (package / "__init__.py").touch()
        template = Path(__file__).with_name("jobs_of_users.py").read_text(encoding="utf-8")
        (network / "jobs" / "jobs.py").write_text(template, encoding="utf-8")
        (network / "config.py").write_text(self._config(settings), encoding="utf-8")

    def command(self, verb: str, *options: str) -> list[str]:
        """The command line of a verb for this network."""
        fission = Path(sys.executable).with_name("fission")
        return [str(fission), verb, NAME, "--project", str(self.root), *options]

    def environment(self) -> dict[str, str]:
        """The environment of a run at the network's own pace."""
        return {DELAY: str(1 / self.plan.rate)}

    def reference(self) -> dict[int, bytes]:
        """Simulate the network without faults and pacing; return the output of its sinks."""
        done = subprocess.run(
            self.command("simulate", "--until-finished", "--quiet"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=os.environ | {DELAY: "0"},
        )
        if done.returncode:
            raise AssertionError(f"the undisturbed run failed: {done.stdout}\n{done.stderr}\n{self.plan}")
        return self._files("simulation")

    def output(self) -> dict[int, bytes]:
        """The output of the sinks of a run so far."""
        return self._files("local")

    def progress(self) -> int:
        """The number of bytes that the sinks of a run have written so far."""
        paths = [self.network / "local" / str(id) / "out.csv" for id in self.plan.sinks]
        return sum(path.stat().st_size for path in paths if path.exists())

    def _files(self, folder: str) -> dict[int, bytes]:
        paths = {id: self.network / folder / str(id) / "out.csv" for id in self.plan.sinks}
        return {id: path.read_bytes() if path.exists() else b"" for id, path in paths.items()}

    def _config(self, settings: str) -> str:
        jobs = "\n".join(f"    {self._job(job)}," for job in self.plan.jobs)
        return (
            f'"""{self.plan}"""\n\nfrom fission.core.nodes import BaseNode, MultiNode\n'
            f"from {NAME}.jobs.jobs import *\n\n{settings}\n\nJOBS = [\n{jobs}\n]\n"
        )

    def _job(self, job: JobPlan) -> str:
        def ends(pipes: tuple[object, ...]) -> str:
            return f"[{', '.join(map(str, pipes))}]"

        def made(index: int) -> tuple[str, ...]:
            pipes = (job.inputs, job.outputs)[index]
            return tuple(f"KINDS[{pipe.kind!r}]({pipe.id}, {pipe.count}, {pipe.size})" for pipe in pipes)

        name = "Local" * (job.local and job.kind in SOURCES) + job.kind
        if job.kind in SOURCES:
            return f"{name}({job.salt}, {self.blocks}, {ends(made(1))})"
        return f"{name}({job.salt}, {ends(made(0))}, {ends(made(1))})"


def difference(expected: dict[int, bytes], found: dict[int, bytes]) -> str:
    """Describe the first difference of two outputs, or return "" when all bytes are equal."""
    for id, whole in expected.items():
        if found.get(id) != whole:
            wanted, got = whole.splitlines(), found.get(id, b"").splitlines()
            place = next(
                (n for n, pair in enumerate(zip(wanted, got, strict=False)) if pair[0] != pair[1]),
                min(len(wanted), len(got)),
            )
            lines = "\n".join(
                f"  line {n}: expected {_line(wanted, n)}, found {_line(got, n)}"
                for n in range(max(0, place - 2), place + 4)
            )
            return f"sink {id}: {len(wanted)} lines expected, {len(got)} found\n{lines}"
    return ""


def _line(lines: list[bytes], number: int) -> str:
    return lines[number].decode(errors="replace") if number < len(lines) else "nothing"
