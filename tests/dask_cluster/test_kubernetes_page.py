"""The manifest of the page about Kubernetes: its own commands, configuration and environment run a network over TLS.

There is no Kubernetes here. The containers are processes of this machine, and the cluster's names are 127.0.0.1.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from fission.management.commands.devices.certs import certs_command
from kits.waiting import DEADLINE, wait_for

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "dask-kubernetes.md"
SERVICE = "tls://sensors-scheduler:8786"

PROGRAM = """
import sys
from fission import PicklePipe, PythonJob, run

class Count(PythonJob):
    number = 0
    def run(self):
        if self.number == 2000:
            return None
        self.pace(hz=500)
        self.number += 1
        return self.number
    def snapshot(self):
        return self.number
    def restore(self, number):
        self.number = number

if __name__ == "__main__":
    with run([Count(outputs=[PicklePipe(1)])], dask=sys.argv[1], quiet=True) as handle:
        blocks = handle.pipe(1)
        first = blocks.take(100)
        print(handle.status().jobs[0].node, flush=True)
        assert [*first, *blocks] == [*range(1, 2001)]
    print("exact")
"""


@dataclass
class Pods:
    """The containers of the manifest as processes, with the folder that stands for /etc/dask."""

    folder: Path
    address: str = ""
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, role: str, *more: str) -> "subprocess.Popen[bytes]":
        [container] = manifest()["spec"][role]["spec"]["containers"]
        [mount] = container["volumeMounts"]
        assert mount["mountPath"] == "/etc/dask"
        given = {one["name"]: one["value"].replace(SERVICE, self.address) for one in container.get("env", ())}
        name = f"pod-{len(self.running)}"
        words = [word.replace("$(DASK_WORKER_NAME)", name) for word in container["args"]]
        assert words[0] == "dask"
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words[1:], *more],
                env=self.environment() | given,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def environment(self) -> dict[str, str]:
        return {**os.environ, "DASK_ROOT_CONFIG": str(self.folder), "TMPDIR": str(self.folder)}

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def fenced(test: Callable[[str], bool]) -> str:
    """The one YAML block of the page for which `test` holds."""
    [block] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if test(text)]
    return str(block)


def manifest() -> dict[str, Any]:
    cluster: dict[str, Any] = next(yaml.safe_load_all(fenced(lambda text: "DaskCluster" in text)))
    return cluster


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    """The secret, made as the page says, and no pods yet."""
    [node] = re.findall(r"^fission certs --dir dask-certs --node (\S+)$", PAGE.read_text(), re.MULTILINE)
    certs_command(tmp_path / "certs", nodes=[node], days=2, renew=False, list_only=False)
    secret = tmp_path / "certs" / "nodes" / node
    config = fenced(lambda text: text.startswith("distributed:"))
    (secret / "tls.yaml").write_text(config.replace("/etc/dask", str(secret)))
    pods = Pods(secret)
    yield pods
    pods.end()


@pytest.mark.long
def test_the_commands_of_the_manifest(pods: Pods, tmp_path: Path) -> None:
    found = tmp_path / "scheduler.json"
    pods.start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(found)
    )
    wait_for(lambda: found.exists() and found.stat().st_size, "the scheduler listens")
    pods.address = json.loads(found.read_text())["address"]
    assert pods.address.startswith("tls://")
    workers = [pods.start("worker", "--host", "127.0.0.1", "--no-dashboard") for _ in range(2)]
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), pods.address],
        env=pods.environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline().startswith("127.0.0.1:")
            workers[0].send_signal(signal.SIGTERM)  # its pod is deleted
            out, err = program.communicate(timeout=DEADLINE)
        finally:
            program.kill()
    assert (program.returncode, out) == (0, "exact\n"), err
    assert workers[0].wait(DEADLINE) in (0, -signal.SIGTERM)
    wait_for(lambda: not list(pods.folder.glob("fission-dask-*")), "the services leave no files")


def test_every_address_has_tls() -> None:
    cluster = manifest()
    assert "tcp://" not in PAGE.read_text()
    [worker] = cluster["spec"]["worker"]["spec"]["containers"]
    addresses = {one["name"]: one["value"] for one in worker["env"]}
    # the name must be this one: where it is missing the operator sets an address without TLS
    assert addresses == {"DASK_SCHEDULER_ADDRESS": f"tls://{cluster['metadata']['name']}-scheduler:8786"}
    [scheduler] = cluster["spec"]["scheduler"]["spec"]["containers"]
    assert {one["name"] for one in scheduler["ports"]} == {
        one["targetPort"] for one in cluster["spec"]["scheduler"]["service"]["ports"]
    }
