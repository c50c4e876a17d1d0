"""`fission_admin.py certs`, as its user sees it."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from fission.management.commands.devices.certs import certs_command
from fission.security import CertificateError
from fission.security.store import CertificateStore, NodeNames


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("certs")


def test_the_first_time(folder, capsys) -> None:
    assert certs_command(folder) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == [
        "certificate",
        "authority",
        "client",
        "written:",
        "written:",
        "next:",
    ]
    assert "next: name the nodes, as in `fission certs --node" in out
    assert err == ""


def test_nodes(folder, capsys) -> None:
    assert certs_command(folder, nodes=["192.168.4.2", "192.168.4.3,pi3.local"], days=400) == 0
    out = capsys.readouterr().out
    assert "192.168.4.3, pi3.local" in out
    assert (
        "next: copy each folder in certs/nodes to its node; keep certs/authority/ca.key on this machine"
        in out
    )
    assert certs_command(folder, nodes=["192.168.4.2"]) == 0
    out = capsys.readouterr().out
    assert "written" not in out
    assert "next" not in out
    shutil.rmtree(folder / "client")
    assert certs_command(folder) == 0
    out = capsys.readouterr().out
    assert "written: certs/client\n" in out
    assert "next" not in out
    assert certs_command(folder, renew=True) == 0
    assert "written: certs/client\nwritten: certs/nodes/192.168.4.2\n" in capsys.readouterr().out


def test_list(folder, capsys) -> None:
    with pytest.raises(
        CertificateError, match=r"certs: there are no certificates. Run `fission certs --node"
    ):
        certs_command(folder, list_only=True)
    assert not folder.exists()
    certs_command(folder)
    capsys.readouterr()
    assert certs_command(folder, list_only=True) == 0
    assert "written" not in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [{"nodes": ["10.0.0.1"]}, {"renew": True}])
def test_a_list_writes_nothing(folder, arguments) -> None:
    with pytest.raises(CertificateError, match="--list writes nothing"):
        certs_command(folder, list_only=True, **arguments)


def test_warnings(folder, capsys) -> None:
    store = CertificateStore(folder)
    now = dt.datetime.now(dt.UTC)
    for address, begin, days in (
        ("10.0.0.1", 0, 20),
        ("10.0.0.2", -30, 20),
        ("10.0.0.3", 9, 50),
        ("10.0.0.4", 0, 9),
    ):
        at = now + dt.timedelta(days=begin)
        store.update([NodeNames.parse(address)], days=days, renew=False, now=at)
    (store.nodes / "10.0.0.4" / "key.pem").unlink()
    capsys.readouterr()
    assert certs_command(folder, list_only=True) == 0
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "10.0.0" in line]
    assert lines == [
        "warning: certs/nodes/10.0.0.1: the certificate expires in 19 days. Run `fission certs --renew`",
        "warning: certs/nodes/10.0.0.2: the certificate has expired. Run `fission certs --renew`",
        "warning: certs/nodes/10.0.0.3: the certificate is not valid yet. Is the clock of this machine correct?",
        "warning: certs/nodes/10.0.0.4/key.pem: the file is missing. Copy the three files of one folder "
        "together, or make new ones with `fission certs --renew`",
    ]
    states = {line.split()[1]: line for line in out.splitlines() if line.startswith("node")}
    assert states["10.0.0.1"].rstrip().endswith("expires soon")
    assert states["10.0.0.2"].rstrip().endswith("expired")
    assert states["10.0.0.3"].rstrip().endswith("not valid yet")
    assert states["10.0.0.4"].rstrip().endswith("broken")


def test_an_authority_that_ends(folder, capsys) -> None:
    store = CertificateStore(folder)
    store.update([], days=3650, renew=False, now=dt.datetime.now(dt.UTC) - dt.timedelta(days=3640))
    certs_command(folder, list_only=True)
    assert "certs/authority: the authority's certificate expires in 9 days" in capsys.readouterr().err


def test_on_a_terminal(folder, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert certs_command(folder, nodes=["10.0.0.1"], days=5) == 0
    out, err = capsys.readouterr()
    assert "\033[32mvalid" in out
    assert "\033[33mwarning: certs/client" in err
