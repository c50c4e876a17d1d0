"""Files that we read, damaged at random: one line of explanation, never an error that looks like a bug of ours.

Where a file has a checksum, a change never passes unnoticed.
"""

import datetime as dt
import hashlib
import logging
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fission.core import base
from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.client.private.journal import Journal
from fission.engine.client.private.run_secret import run_secret
from fission.engine.files.blob_store import BlobStore
from fission.errors import FissionError
from fission.loader import CSVLoader, XMLLoader
from fission.management.console.log_reader import LogReader
from fission.management.console.records import Record
from fission.management.node.options import read_options
from fission.runtime.checkpointing.digest import state_digest
from fission.security.contexts import client_context, server_context
from fission.security.identity import load_identity
from fission.security.store import CertificateStore, NodeNames
from kits.checkpoints import KEY, entry

TRIES = 150

XML = """\
<?xml version="1.0"?>
<network>
  <node pi_id="10.0.0.1">
    <program path="source" executable="./measure"><output pipe_id="101" block_size="4"/></program>
    <program path="sink" executable="./sink"><input pipe_id="101" block_count="2"/><parameter param="-x"/></program>
  </node>
</network>
"""
CSV = "name,ip\nfirst,10.0.0.1,MICROPHONE\nsecond,10.0.0.2\n# none\nmany,10.0.0.*,A,B\n"
TOML = 'address = "10.0.0.1"\nport = 7000\nslots = 4\ngroups = ["A", "B"]\nlog_level = "INFO"\nallow_reboot = true\n'


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Another content: a bit flipped, a piece cut off, removed, doubled or overwritten."""
    at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.randrange(7):
        case 0 | 1 | 2:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 3:
            return data[:at]
        case 4:
            return data[:at] + data[end:]
        case 5:
            return data[:end] + data[at:]
        case _:
            return data[:at] + chance.randbytes(end - at) + data[end:]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    folder = tmp_path / "certs"
    now = dt.datetime.now(dt.UTC)
    CertificateStore(folder).update([NodeNames.parse("10.0.0.1")], days=100, renew=False, now=now)
    return folder


def fuzz(file: Path, read: Callable[[], object], *, same: bool = False, mode: int = 0o600) -> None:
    """Damage a file in many ways, and read it. `same`: what is read without an error is what was written."""
    data = file.read_bytes()
    right = read()
    for seed in range(TRIES):
        chance = random.Random(f"{file.name} {seed}")
        content = damaged(data, chance)
        if content == data:
            continue
        file.write_bytes(content)
        file.chmod(mode)
        base.reset()
        found, text = attempt(read)
        if text:
            assert file.name in text or str(file.parent) in text, text
            assert "\n" not in text
            assert len(text) < 2000
        else:
            assert not same or found == right, f"seed {seed}: the change was not noticed"
    for odd in (b"", b"\0" * 100, b"\xff" * 100, b"[" * 100_000):
        file.write_bytes(odd)
        attempt(read)
    file.unlink(missing_ok=True)
    file.mkdir()
    attempt(read)


def attempt(read: Callable[[], object]) -> tuple[object, str]:
    """What is read, or our explanation why it cannot be."""
    try:
        return read(), ""
    except FissionError as error:
        return None, str(error)


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def test_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write({"run": "a" * 32, "jobs": [{"id": number, "incarnation": 3} for number in range(20)]})
    fuzz(journal.path, journal.read, same=True)


@pytest.mark.parametrize("name", ["ca.pem", "cert.pem", "key.pem"])
def test_certificates_of_a_machine(certificates: Path, name: str) -> None:
    folder = certificates / "nodes" / "10.0.0.1"

    def read() -> object:
        identity = load_identity(folder)
        client_context(identity)
        server_context(identity)
        return identity.name, identity.role, identity.addresses

    fuzz(folder / name, read, same=True)


@pytest.mark.parametrize("name", ["authority/ca.key", "authority/ca.pem"])
def test_the_authority(certificates: Path, name: str) -> None:
    now = dt.datetime.now(dt.UTC)

    def read() -> None:
        store = CertificateStore(certificates)
        store.entries()
        shutil.rmtree(certificates / "nodes" / "10.0.0.9", ignore_errors=True)
        store.update([NodeNames.parse("10.0.0.9")], days=10, renew=False, now=now)

    fuzz(certificates / name, read)


def test_networks_in_xml(tmp_path: Path) -> None:
    file = tmp_path / "network.xml"
    file.write_text(XML)
    fuzz(file, lambda: XMLLoader().load(file))


def test_nodes_in_csv(tmp_path: Path) -> None:
    file = tmp_path / "nodes.csv"
    file.write_text(CSV)
    fuzz(file, lambda: CSVLoader().load_nodes(file))


def test_options_of_a_node(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(TOML)
    fuzz(file, lambda: read_options({"name": "n", "certs": "/certs", "root": "/root"}, file))


def test_records(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    some = [Record(logging.INFO, f"text {n}", "client", 1, "Job 1", 1, "stdout", "run") for n in range(20)]
    file.write_text("".join(f"{one.encoded()}\n" for one in some))

    def read() -> None:
        with LogReader(file) as reader:
            list(reader.more())

    fuzz(file, read)


def test_the_secret_of_a_run(tmp_path: Path) -> None:
    run_secret(tmp_path, "run")
    fuzz(tmp_path / "checkpoint.key", lambda: len(run_secret(tmp_path, "run")), same=True)


def test_contents_of_files_on_a_node(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10
    digest = hashlib.sha256(data).hexdigest()
    BlobStore(tmp_path).put(digest, len(data), 0, data)
    file = tmp_path / "whole" / digest

    def read() -> object:
        found = BlobStore(tmp_path).find(digest, len(data))
        return data if found is None else found.read_bytes()  # None: it is sent again

    fuzz(file, read, same=True)


def test_checkpoints(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    state = b"state" * 30
    store.put(KEY, 1, entry(5, state), (1, 0), state)
    digest = state_digest(state)
    (file,) = tmp_path.rglob(digest)

    def read() -> object:
        with store.open(KEY, digest) as opened:
            return opened.read()  # the machine that fetches it compares the digest

    fuzz(file, read)
