"""Nodes announce themselves on a bridge, and the client finds them there."""

import json
import signal
import sys

import pytest

from lab import Lab
from lab.host import Running

pytestmark = pytest.mark.long
MODULE = [sys.executable, "-c", "from fission.management.cli.fission import main; raise SystemExit(main())"]


def listed(run: Running) -> dict[str, dict[str, object]]:
    assert run.code == 0, run.text()
    return {node["addresses"][0]: node for node in json.loads(run.out.read_text())}


def test_nodes_on_a_bridge_are_found_and_leave(lab: Lab) -> None:
    first, second = lab.nodes[:2]
    services = []
    for host in (first, second):
        command = [sys.executable, "-m", "fission.node", "--announce", "--address", host.address]
        files = ["--certs", str(host.certs), "--root", str(host.folder / "files"), "--name", host.name]
        service = host.popen([*command, *files])
        services.append(service)
    for service in services:
        service.says("announced by mDNS")
    search = [*MODULE, "nodes", "--discover", "--json", "--seconds", "2", "--certs", str(lab.certs)]
    found = listed(lab.client.run(search))
    assert set(found) == {first.address, second.address}
    assert all(node["authority"] == "ours" for node in found.values()), found
    assert str(found[first.address]["name"]).startswith(first.name)
    services[0].send(signal.SIGTERM)
    assert services[0].wait() == 0
    assert set(listed(lab.client.run(search))) == {second.address}
