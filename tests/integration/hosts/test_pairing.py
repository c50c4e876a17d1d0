"""A new device on a bridge: paired by its code, found by mDNS, used by the client; a cable that is pulled leaves nothing."""

import json
import re
import sys
from pathlib import Path

import pytest

from lab import Lab
from lab.host import Host, Running

pytestmark = pytest.mark.long
MODULE = [sys.executable, "-c", "from fission.management.cli.fission import main; raise SystemExit(main())"]


def pairing(host: Host, *options: str) -> tuple[Running, Path]:
    """Start `fission-node --pair`; the folder is that of its certificate."""
    folder = host.folder / "new" / "certs"
    command = [sys.executable, "-m", "fission.node", "--pair", "--address", host.address, "--name", host.name]
    files = ["--certs", str(folder), "--root", str(host.folder / "new" / "files")]
    service = host.popen([*command, *files, *options])
    service.says("on the client: fission pair")
    return service, folder


def code(service: Running) -> str:
    return re.findall(r"pairing code: (\d{4} \d{4})", service.text())[-1]


def test_a_paired_device_is_ours(lab: Lab, tmp_path: Path) -> None:
    node = lab.nodes[0]
    service, folder = pairing(node, "--announce")
    certs = ["--certs", str(tmp_path / "certs")]
    nodes = tmp_path / "nodes.csv"
    nodes.write_text(f"name,address\n{node.name},10.77.0.99\n")
    words = ["pair", node.address, "--code", code(service), "--nodes", str(nodes), *certs]
    done = lab.client.run([*MODULE, *words])
    assert done.code == 0, done.text()
    assert "it serves as a node, and accepts this client" in done.text()
    assert nodes.read_text().splitlines()[-1] == f"{node.name}-{node.address},{node.address}"
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    service.says("announced by mDNS")
    found = lab.client.run([*MODULE, "nodes", "--discover", "--json", "--seconds", "2", *certs])
    (shown,) = json.loads(found.out.read_text())
    assert (shown["addresses"], shown["authority"]) == ([node.address], "ours")
    stranger = lab.client.run(
        [*MODULE, "nodes", "--discover", "--json", "--seconds", "2", "--certs", str(lab.certs)]
    )
    (shown,) = json.loads(stranger.out.read_text())
    assert shown["authority"] == "foreign"


def test_a_pulled_cable_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    node = lab.nodes[0]
    service, folder = pairing(node)
    node.link_down()
    done = lab.client.popen(
        [*MODULE, "pair", node.address, "--code", code(service), "--certs", str(tmp_path / "certs")]
    )
    assert done.wait(60) == 1
    assert "Traceback" not in done.text()
    node.link_up()
    assert not (tmp_path / "certs" / "nodes" / node.address).exists()
    assert not folder.exists()
    again = lab.client.run(
        [*MODULE, "pair", node.address, "--code", code(service), "--certs", str(tmp_path / "certs")]
    )
    assert again.code == 0, again.text()
