"""Making, listing and renewing the certificates of a cluster."""

import datetime as dt
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fission.security import CertificateError, Role, load_identity
from fission.security import files as files_module
from fission.security.ephemeral import ephemeral_authority
from fission.security.store import CertificateStore, Entry, NodeNames, State

NOW = dt.datetime.now(dt.UTC)
NODES = [NodeNames.parse("192.168.4.2"), NodeNames.parse("192.168.4.3,pi3.local,FE80:0::3")]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CertificateStore]:
    """A store that has nothing yet; whatever happens, every folder in it is whole afterwards."""
    made = CertificateStore(tmp_path / "certs")
    yield made
    for entry in made.entries():
        assert entry.state(NOW) is not State.BROKEN or entry.name in ("broken", "192.168.4.9")


def update(store: CertificateStore, nodes=(), *, days=90, renew=False, now=NOW) -> list[str]:
    """Update and return the names of what was written."""
    return [
        str(path.relative_to(store.folder)) for path in store.update(nodes, days=days, renew=renew, now=now)
    ]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_layout(store) -> None:
    assert update(store, NODES) == ["authority", "client", "nodes/192.168.4.2", "nodes/192.168.4.3"]
    assert [str(path.relative_to(store.folder)) for path in contents(store.folder)] == [
        ".gitignore",
        "authority/ca.key",
        "authority/ca.pem",
        "client/ca.pem",
        "client/cert.pem",
        "client/key.pem",
        "nodes/192.168.4.2/ca.pem",
        "nodes/192.168.4.2/cert.pem",
        "nodes/192.168.4.2/key.pem",
        "nodes/192.168.4.3/ca.pem",
        "nodes/192.168.4.3/cert.pem",
        "nodes/192.168.4.3/key.pem",
    ]
    assert store.node("192.168.4.2").is_dir()
    client, node = load_identity(store.client), load_identity(store.nodes / "192.168.4.3")
    assert (client.role, client.name, client.addresses) == (Role.CLIENT, "client", ())
    assert (node.role, node.name) == (Role.NODE, "192.168.4.3")
    assert node.addresses == ("192.168.4.3", "fe80::3", "pi3.local")
    assert node.not_after == (NOW + dt.timedelta(days=90)).replace(microsecond=0)
    assert client.days_left(NOW) == 89
    entries = store.entries()
    assert [(entry.what, entry.days_left(NOW)) for entry in entries] == [
        ("authority", 3649),
        ("client", 89),
        ("node", 89),
        ("node", 89),
    ]
    assert {entry.state(NOW) for entry in entries} == {State.VALID}


def test_everything_is_private_from_its_first_moment(store, monkeypatch) -> None:
    """With a umask that forbids nothing, and without any change of a mode afterwards."""
    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.delattr(os, name, raising=False)
    before = os.umask(0)
    try:
        update(store, NODES)
        update(store, renew=True)
    finally:
        os.umask(before)
    for path in (store.folder, *store.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        else:
            assert mode == (0o600 if path.suffix == ".key" or path.name == "key.pem" else 0o644), path


def test_again_adds_only_what_is_missing(store) -> None:
    update(store, NODES[:1])
    before = contents(store.folder)
    assert update(store) == []
    assert update(store, NODES[:1]) == []
    assert contents(store.folder) == before
    assert update(store, NODES) == ["nodes/192.168.4.3"]
    shutil.rmtree(store.client)
    assert update(store) == ["client"]
    after = contents(store.folder)
    assert all(after[path] == data for path, data in before.items() if store.client not in path.parents)


def test_renew(store) -> None:
    update(store, NODES)
    before = contents(store.folder)
    later = NOW + dt.timedelta(days=5)
    assert update(store, renew=True, now=later) == ["client", "nodes/192.168.4.2", "nodes/192.168.4.3"]
    after = contents(store.folder)
    same = {path.relative_to(store.folder) for path in before if before[path] == after[path]}
    assert {path.name for path in same} == {".gitignore", "ca.pem", "ca.key"}
    node = load_identity(store.nodes / "192.168.4.3", now=later)
    assert node.addresses == ("192.168.4.3", "fe80::3", "pi3.local")
    assert node.days_left(later) == 89


def test_renew_one_node(store) -> None:
    update(store, NODES)
    assert update(store, NODES[1:], renew=True) == ["nodes/192.168.4.3"]
    assert update(store, [NodeNames.parse("192.168.4.2,pi2")], renew=True) == ["nodes/192.168.4.2"]
    assert load_identity(store.node("192.168.4.2")).addresses == ("192.168.4.2", "pi2")
    assert update(store, [NodeNames.parse("192.168.4.2")], renew=True) == ["nodes/192.168.4.2"]
    assert load_identity(store.node("192.168.4.2")).addresses == ("192.168.4.2", "pi2")


def test_renew_what_is_broken(store) -> None:
    update(store, NODES)
    (store.nodes / "192.168.4.2" / "cert.pem").write_text("nonsense")
    (store.client / "key.pem").unlink()
    states = [(entry.name, entry.state(NOW)) for entry in store.entries()]
    assert states[1:3] == [("client", State.BROKEN), ("192.168.4.2", State.BROKEN)]
    assert store.entries()[1].days_left(NOW) == 0
    assert "this is no certificate" in store.entries()[2].problem
    assert update(store, NODES) == []
    assert update(store, renew=True) == ["client", "nodes/192.168.4.2", "nodes/192.168.4.3"]


def test_a_new_name_needs_renew(store) -> None:
    update(store, NODES[:1])
    with pytest.raises(
        CertificateError, match=r"192.168.4.2: the certificate does not name pi2. Add --renew"
    ):
        update(store, [NodeNames.parse("192.168.4.2,pi2")])


def test_two_nodes_cannot_have_one_name(store) -> None:
    update(store, NODES)
    with pytest.raises(
        CertificateError, match=r"pi3.local is named for two nodes, 192.168.4.3 and 192.168.4.4"
    ):
        update(store, [NodeNames.parse("192.168.4.4,pi3.local")])
    with pytest.raises(CertificateError, match="named for two nodes"):
        update(store, [NodeNames.parse("10.0.0.1,a"), NodeNames.parse("10.0.0.2,a")])
    with pytest.raises(CertificateError, match="a node is named twice"):
        update(store, [NodeNames.parse("10.0.0.1"), NodeNames.parse("10.0.0.1,b")])
    assert len(store.entries()) == 4


def test_the_authority_is_prolonged_in_time(store) -> None:
    """With the same key: certificates that were made before and after go together."""
    update(store, NODES, days=3650)
    later = NOW + dt.timedelta(days=3600)
    old = ephemeral_copy(store.nodes / "192.168.4.2")
    assert update(store, NODES[1:], renew=True, days=20, now=later) == ["nodes/192.168.4.3"]
    assert update(store, NODES[1:], renew=True, days=90, now=later) == ["authority", "nodes/192.168.4.3"]
    assert store.entries()[0].days_left(later) == 3649
    assert (
        len(
            {
                folder.joinpath("ca.pem").read_bytes()
                for folder in (store.authority, store.client, *store.nodes.iterdir())
            }
        )
        == 1
    )
    assert load_identity(store.nodes / "192.168.4.2", now=later).days_left(later) == 49
    # one that was not copied yet still knows the new ones, and the other way round
    shutil.copy(store.nodes / "192.168.4.3" / "cert.pem", old)
    shutil.copy(store.nodes / "192.168.4.3" / "key.pem", old)
    assert load_identity(old, now=later).addresses == ("192.168.4.3", "fe80::3", "pi3.local")


def ephemeral_copy(folder: Path) -> Path:
    target = folder.parent.parent.parent / "copy"
    shutil.copytree(folder, target)
    return target


def test_no_certificate_outlives_the_authority(store) -> None:
    update(store)
    later = NOW + dt.timedelta(days=3600)
    update(store, NODES[:1], days=365, now=later)
    assert store.entries()[2].days_left(later) == 49


def test_an_expired_authority(store) -> None:
    update(store)
    later = NOW + dt.timedelta(days=4000)
    assert {entry.state(later) for entry in store.entries()} == {State.EXPIRED}
    with pytest.raises(
        CertificateError, match=r"the authority's certificate has expired. --renew prolongs it"
    ):
        update(store, NODES[:1], now=later)
    shutil.rmtree(store.client)
    assert update(store, renew=True, now=later) == ["authority", "client"]
    assert {entry.state(later) for entry in store.entries()} == {State.VALID}


def test_states() -> None:
    entry = Entry("node", "x", Path("x"), not_before=NOW, not_after=NOW + dt.timedelta(days=100))
    states = [entry.state(NOW + dt.timedelta(days=days)) for days in (-1, 0, 69, 71, 99, 100)]
    assert states == [State.EARLY, State.VALID, State.VALID, State.EXPIRING, State.EXPIRING, State.EXPIRED]
    assert Entry("node", "x", Path("x"), problem="bad").state(NOW) is State.BROKEN


def test_the_authority_is_missing(store) -> None:
    update(store)
    shutil.rmtree(store.authority)
    with pytest.raises(CertificateError, match="the authority is missing that has signed"):
        update(store, NODES)
    assert update(store) == []
    assert [entry.what for entry in store.entries()] == ["client"]


def test_the_authority_key_is_kept_elsewhere(store) -> None:
    update(store)
    (store.authority / "ca.key").rename(store.folder / "elsewhere.key")
    assert update(store) == []
    assert store.entries()[0].state(NOW) is State.VALID
    with pytest.raises(
        CertificateError, match=r"ca.key: the file is missing that new certificates need. Put it back"
    ):
        update(store, NODES)


@pytest.mark.parametrize("wrong", ["other key", "no key", "rsa", "no certificate"])
def test_the_authority_is_broken(store, tmp_path, wrong) -> None:
    update(store)
    key = store.authority / "ca.key"
    if wrong == "other key":
        key.write_bytes((store.client / "key.pem").read_bytes())
    elif wrong == "no key":
        key.write_text("nonsense")
    elif wrong == "rsa":
        other = rsa.generate_private_key(65537, 2048)
        key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    else:
        (store.authority / "ca.pem").write_text("nonsense")
        assert "cannot be read" in store.entries()[0].problem
    with pytest.raises(CertificateError, match=r"ca.key: cannot be used \("):
        update(store, NODES)
    shutil.rmtree(store.folder)


@pytest.mark.parametrize("days", [0, -5, 3651])
def test_days(store, days) -> None:
    with pytest.raises(
        CertificateError, match=f"--days: no such time is possible; expected 1 to 3650, found {days}"
    ):
        update(store, days=days)
    assert not store.folder.exists()


def test_the_wrong_role_in_a_folder(store) -> None:
    update(store)
    shutil.copytree(store.client, store.nodes / "192.168.4.9")
    assert "192.168.4.9: the certificate is for a client" in store.entries()[2].problem


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str, after: int) -> Iterator[list[int]]:
    """Let the nth call of a function of `os` fail, as when the power goes."""
    calls = [0]
    real = getattr(os, name)

    def fail(*args, **kwargs):
        calls[0] += 1
        if calls[0] > after:
            raise OSError(5, "Input/output error")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(files_module.os, name, fail)
        yield calls


@pytest.mark.parametrize("name", ["open", "rename", "fsync", "mkdir", "replace"])
@pytest.mark.parametrize("renew", [False, True])
def test_interrupted_anywhere(tmp_path, monkeypatch, name, renew) -> None:
    """What is visible is whole, a certificate and its key go together, and the next run completes it."""
    later = NOW + dt.timedelta(hours=renew)  # a renewal prolongs the authority as well
    for after in range(100):
        store = CertificateStore(tmp_path / str(after))
        if renew:
            update(store, NODES[:1], days=3650)
        with failing(monkeypatch, name, after) as calls:
            try:
                update(store, NODES[: not renew], days=90 if not renew else 3650, renew=renew, now=later)
            except CertificateError as error:
                assert "Input/output error" in str(error)  # noqa: PT017
        assert State.BROKEN not in {entry.state(NOW) for entry in store.entries()}
        update(store, NODES[:1], renew=renew)
        assert len(store.entries()) == 3
        assert State.BROKEN not in {entry.state(NOW) for entry in store.entries()}
        if calls[0] <= after:
            break
    else:
        pytest.fail("never went through")


def test_one_at_a_time(store) -> None:
    update(store)
    fd = os.open(store.folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(CertificateError, match="certs: another command is making certificates here"):
            update(store, NODES)
    finally:
        os.close(fd)
    assert update(store, NODES[:1]) == ["nodes/192.168.4.2"]


def test_a_folder_that_cannot_be_made(tmp_path) -> None:
    store = CertificateStore(tmp_path / "missing" / "certs")
    with pytest.raises(
        CertificateError, match=r"missing/certs: cannot be written \(No such file or directory\)"
    ):
        update(store)
    (tmp_path / "file").touch()
    store = CertificateStore(tmp_path / "file")
    with pytest.raises(CertificateError, match=r"cannot be written \(Not a directory\)"):
        update(store)
    assert store.entries() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.168.4.*",
        "192.168.4.300",
        "192.168.4.0/24",
        "../evil",
        "a b",
        "pi2:8785",
        "x" * 64,
        "a,",
        "ä.de",
        "-a",
        "a.1",
    ],
)
def test_what_is_no_address(text) -> None:
    with pytest.raises(
        CertificateError, match="is not an address of a node; expected an IP address or a host name"
    ):
        NodeNames.parse(text)


@pytest.mark.parametrize("text", ["pi2", "pi2.local,PI3"])
def test_a_host_name_is_not_enough(text) -> None:
    with pytest.raises(
        CertificateError, match=rf"^--node {text}: a node needs an IP address; .* 192\.168\.4\.2,pi2"
    ):
        NodeNames.parse(text)


def test_addresses_in_their_normal_form() -> None:
    assert NodeNames.parse("PI2.Local.,pi2.local,[::1],fe80::1%eth0").addresses == (
        "pi2.local",
        "::1",
        "fe80::1",
    )


def test_a_long_name(store) -> None:
    name = ".".join(["a" * 40] * 3)
    update(store, [NodeNames.parse(f"{name},10.0.0.1")])
    identity = load_identity(store.node(name))
    assert set(identity.addresses) == {name, "10.0.0.1"}
    assert len(identity.name) == 64


def test_ephemeral(tmp_path) -> None:
    """For an embedded cluster: the same certificates, but no key of the authority anywhere."""
    authority = ephemeral_authority(tmp_path / "certs", ["127.0.0.2", "127.0.0.3"])
    assert authority.node("127.0.0.2") == tmp_path / "certs" / "nodes" / "127.0.0.2"
    assert load_identity(authority.node("127.0.0.4")).role is Role.NODE
    assert load_identity(authority.client).role is Role.CLIENT
    assert not list(tmp_path.rglob("ca.key"))
    keys = list(tmp_path.rglob("key.pem"))
    assert len(keys) == 4
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    with pytest.raises(CertificateError):
        authority.node("127.0.0.*")
