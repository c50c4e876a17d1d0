"""The container files: linters, schemas, and their scripts with real nodes in the place of containers."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from fission.core.network import Settings
from kits.waiting import DEADLINE, wait_for

FOLDER = Path(__file__).parents[2] / "container"
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
ADDRESSES = [f"127.0.0.{last}" for last in (81, 82, 83)]


def passes(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile() -> None:
    passes(str(BIN / "hadolint"), str(FOLDER / "Dockerfile"))
    text = (FOLDER / "Dockerfile").read_text()
    assert "USER 10001:10001" in text
    assert f"EXPOSE {Settings().node_port}\n" in text
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE))
    allowed = {
        line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {name for line in copied for name in line.split()} == allowed
    assert all((FOLDER.parent / name).exists() for name in allowed)


def test_the_compose_file() -> None:
    passes(
        str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")
    )
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    given = [entry.partition("=")[0] for entry in services["certificates"]["command"] if "=" in entry]
    nodes = [one for name, one in services.items() if re.fullmatch(r"node\d", name)]
    assert [one["networks"]["cluster"]["ipv4_address"] for one in nodes] == given
    assert services["client"]["environment"]["FISSION_NODES"].split() == given
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in (*nodes, services["client"]))


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def test_the_kubernetes_manifest() -> None:
    passes(str(BIN / "kubernetes-validate"), "--strict", str(FOLDER / "kubernetes.yaml"))
    images = set(re.findall(r"image: (\S+)", (FOLDER / "kubernetes.yaml").read_text()))
    assert images == {f"fission:{metadata.version('fission')}"}
    pods = [one["spec"]["template"]["spec"] for one in documents() if "template" in one.get("spec", {})]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        for one in (*pod["containers"], *pod.get("initContainers", ())):
            assert one["securityContext"]["readOnlyRootFilesystem"]
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    keys = [mount["name"] for mount in pods[0]["containers"][0]["volumeMounts"]]
    assert "authority" not in keys  # only the init container has the key of the authority


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[str]]:
    """Three node services with the certificates that certificates.sh gives them."""
    folders = {address: tmp_path / f"node-{address}" for address in ADDRESSES}
    for folder in (*folders.values(), tmp_path / "client"):
        folder.mkdir()
    give = ["/bin/sh", str(FOLDER / "certificates.sh"), str(tmp_path / "authority"), str(tmp_path / "client")]
    for _ in range(2):  # a cluster is started more than once
        done = subprocess.run(
            [*give, *(f"{address}={folder}" for address, folder in folders.items())],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    with ExitStack() as stack:
        for address, folder in folders.items():
            log = stack.enter_context((tmp_path / f"{address}.log").open("w"))
            command = [
                BIN / "fission-node",
                "--address",
                address,
                "--certs",
                folder,
                "--root",
                tmp_path / address,
            ]
            service = subprocess.Popen(command, stdout=log, stderr=log, env=ENVIRONMENT)
            stack.callback(service.wait, 20)
            stack.callback(service.terminate)
        wait_for(
            lambda: all("listens on" in (tmp_path / f"{one}.log").read_text() for one in ADDRESSES),
            "nodes listen",
        )
        yield ADDRESSES


def test_the_client_runs_its_network_on_the_nodes(nodes: list[str], tmp_path: Path) -> None:
    for path in (tmp_path / "client").iterdir():
        path.chmod(0o444)  # as a mounted secret
    start = ["/bin/sh", str(FOLDER / "client.sh"), str(tmp_path / "demo"), str(tmp_path / "client")]
    for _ in range(2):
        done = subprocess.run(
            [*start, "--wait", "30s", "--for", "1s"],
            env={**ENVIRONMENT, "FISSION_NODES": " ".join(nodes), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(address in done.stdout for address in nodes)
    rows = (tmp_path / "demo/counter/local/2/numbers.csv").read_text().split()
    assert rows[1:3] == ["0", "5"]


def test_a_pod_makes_its_certificate(tmp_path: Path) -> None:
    passes(str(BIN / "fission"), "certs", "--dir", str(tmp_path / "authority"), "--node", "127.0.0.83")
    script = documents()[2]["spec"]["template"]["spec"]["initContainers"][0]["args"][0]
    pod = tmp_path / "pod"
    (pod / "certs").mkdir(parents=True)
    (pod / "certs").chmod(0o2777)  # as an emptyDir is
    for old, new in (
        ("/tmp/certs", f"{pod}/work"),
        (" /authority/", f" {tmp_path}/authority/authority/"),
        ("/etc/fission/certs", f"{pod}/certs"),
    ):
        assert old in script
        script = script.replace(old, new)
    done = subprocess.run(
        ["/bin/sh", "-ec", script],
        env={**ENVIRONMENT, "POD_IP": "127.0.0.84", "POD_NAME": "fission-node-0"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (pod / "certs/node").iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert not (pod / "work").exists()
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(pod / "certs/node/cert.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "IP Address:127.0.0.84" in shown
    assert "DNS:fission-node-0.fission-node" in shown
    container = documents()[2]["spec"]["template"]["spec"]["containers"][0]
    given = [
        word.replace("$(POD_IP)", "127.0.0.84").replace("$(POD_NAME)", "fission-node-0")
        for word in container["args"]
    ]
    given[given.index("/etc/fission/certs/node")] = str(pod / "certs/node")
    given[given.index("/var/lib/fission")] = str(pod / "files")
    probe = container["readinessProbe"]["exec"]["command"]
    with subprocess.Popen(given, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as node:
        try:
            wait_for(lambda: _listens("127.0.0.84"), "the node serves")
            assert subprocess.run(probe, check=False).returncode == 0
        finally:
            node.terminate()
    assert node.returncode == 0


def _listens(address: str) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((address, Settings().node_port)) == 0
