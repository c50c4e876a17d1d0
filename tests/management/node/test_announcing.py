"""`fission-node --announce` and `fission nodes --discover` as processes of one machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fission.management.commands.devices.nodes import discover_command
from fission.security.ephemeral import ephemeral_authority
from kits.waiting import wait_for

NODE = "127.0.0.1"


def test_a_node_is_found_with_its_fingerprint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = ephemeral_authority(tmp_path / "certs", [NODE])
    command = [sys.executable, "-m", "fission.node", "--announce", "--address", NODE, "--port", "0"]
    command += ["--name", "a\tnode", "--root", str(tmp_path / "root"), "--certs", str(authority.node(NODE))]
    log = tmp_path / "log"
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr) as process:
        try:
            wait_for(lambda: "announced" in log.read_text() or process.poll() is not None, "the announcement")
            assert "announced by mDNS as a-node (127-0-0-1)" in log.read_text()
            assert discover_command(tmp_path / "certs", 1.0, as_json=True) == 0
            nodes = json.loads(capsys.readouterr().out)
            (node,) = [one for one in nodes if one["name"].startswith("a-node")]
            assert (node["authority"], node["reason"], len(node["fingerprint"])) == ("ours", "", 64)
            assert discover_command(tmp_path / "certs", 1.0, as_json=False) == 0
            assert f"{node['fingerprint'][:16]}  ours" in capsys.readouterr().out
        finally:
            process.terminate()
    assert process.returncode == 0
