"""What a node and a job store, and what users write, damaged at random.

Each reader explains the damage, or returns what was stored; never other contents where there is a checksum.
"""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fission.core import base
from fission.engine.checkpoints.store import CheckpointStore
from fission.engine.client.private.journal import Journal
from fission.engine.client.private.run_secret import run_secret
from fission.engine.files.bundles import Bundle, ship
from fission.engine.files.store import Store, remove_tree
from fission.errors import FissionError
from fission.loader import CSVLoader, XMLLoader
from fission.management.console.log_reader import LogReader
from fission.management.node.options import read_options
from fission.project.load import load_network
from fission.runtime.checkpointing.checkpoints import load
from fission.runtime.checkpointing.digest import state_digest
from fission.runtime.messages import Checkpoint
from fission.security.identity import load_identity
from kits.bundles import Wire, code, put, tree
from kits.checkpoints import KEY, entry
from kits.command_line import CONFIG, JOBS

from .conftest import Project

TRIES = 60
NOBODY = 65534


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def damage(file: Path, seed: int) -> None:
    """Flip a bit, cut, empty, overwrite, or replace a file by a folder."""
    chance = random.Random(f"{file.suffix} {seed}")
    data = file.read_bytes()
    at = chance.randrange(max(1, len(data)))
    match seed % 6:
        case 0 | 1 | 2:
            content = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 3:
            content = data[:at]
        case 4:
            content = chance.randbytes(len(data))
        case _:
            file.unlink()
            file.mkdir()
            return
    file.chmod(0o600)
    file.write_bytes(content)


def one_line(error: FissionError) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 2000


# -- a node --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["whole", "parts", "lists"])
def test_a_node_installs_the_files_of_the_client_or_explains(tmp_path: Path, kind: str) -> None:
    project = tmp_path / "project"
    for name in ("demo/__init__.py", "demo/jobs.py", "demo/data/program"):
        put(project, name, f"# {name}\n" * 50)
    bundle = code(project)
    for seed in range(TRIES // 3):
        root, work = tmp_path / "node", tmp_path / "work"
        store = Store(root)
        bring(bundle, store)
        if kind == "parts":
            for whole in sorted((root / ".store" / "whole").iterdir()):
                os.truncate(whole, 20)
                whole.rename(root / ".store" / "parts" / whole.name)
        store.close()
        files = sorted((root / ".store" / kind).iterdir())
        damage(files[seed % len(files)], seed)
        store = Store(root)
        work.mkdir()
        try:
            bring(bundle, store)
            store.install(bundle.digest, work)
        except FissionError as error:
            one_line(error)
        else:
            assert tree(work) == tree(project), f"seed {seed}"
        finally:
            store.close()
        remove_tree(root)
        remove_tree(work)


def bring(bundle: Bundle, store: Store) -> None:
    asyncio.run(ship(Wire(store), [bundle]))


def test_a_replica_gives_the_states_that_it_got_or_explains(tmp_path: Path) -> None:
    states = {f"state {number}".encode() * 9 for number in range(4)}
    for seed in range(TRIES):
        store = CheckpointStore(tmp_path / "states")
        for number, state in enumerate(sorted(states), 1):
            store.put(KEY, 1, entry(number, state), (1, 0), state)
        files = sorted(path for path in (tmp_path / "states").rglob("*") if path.is_file())
        chance = random.Random(seed)
        victim = chance.choice(files)
        if victim.stat().st_size:
            damage(victim, seed)
        else:  # an entry: its name is its contents
            name = victim.name
            at = chance.randrange(len(name))
            victim.rename(victim.with_name(name[:at] + chance.choice("-0a9\xe9 .") + name[at + 1 :]))
        store = CheckpointStore(tmp_path / "states")
        try:
            for one in store.fence(KEY, 2):
                with store.open(KEY, one.digest) as file:
                    found = file.read()
                assert found in states or state_digest(found) != one.digest, "a client would take it"
            store.put(KEY, 2, entry(9, b"new", by=2), (1, 9), b"new")
            with store.open(KEY, state_digest(b"new")) as file:
                assert file.read() == b"new"
        except FissionError as error:
            one_line(error)
        shutil.rmtree(tmp_path / "states")


def test_a_job_restores_what_it_has_written_or_explains(tmp_path: Path) -> None:
    state = b"the state of a job" * 5
    for seed in range(TRIES):
        file = tmp_path / "1-1-5.state"
        file.write_bytes(state)
        damage(file, seed)
        known = [Checkpoint(1, 5, str(file), state_digest(state), len(state))]
        with pytest.raises(FissionError, match="the stored state cannot be read") as error:
            load(known, (1, 5), where="job Sum 2")
        one_line(error.value)
        assert str(file) in str(error.value)
        shutil.rmtree(file, ignore_errors=True) if file.is_dir() else file.unlink()


# -- what users write ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.py", "jobs/jobs.py"])
def test_a_project_is_loaded_or_its_problems_are_explained(tmp_path: Path, name: str) -> None:
    for seed in range(TRIES):
        root = tmp_path / f"project{seed}"
        put(root, "demo/__init__.py")
        put(root, "demo/jobs/__init__.py")
        put(root, "demo/jobs/jobs.py", JOBS)
        put(root, "demo/config.py", CONFIG)
        damage(root / "demo" / name, seed)
        base.reset()
        try:
            _network, problems = load_network(root, "demo")
        except FissionError as error:
            one_line(error)
        else:
            assert all("\n" not in str(problem) for problem in problems)


# -- something else in the place of a file -------------------------------------------------------------------

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "journal": ("journal", lambda file: Journal(file.parent).read()),
    "secret": ("checkpoint.key", lambda file: len(run_secret(file.parent, "run"))),
    "identity": ("cert.pem", lambda file: load_identity(file.parent)),
    "options": ("node.toml", lambda file: read_options({"address": "127.0.0.1"}, file)),
    "nodes": ("nodes.csv", lambda file: CSVLoader().load_nodes(file)),
    "xml": ("network.xml", lambda file: XMLLoader().load(file)),
    "records": ("log.jsonl", lambda file: list(LogReader(file).more())),
}


@pytest.mark.parametrize(
    "what", ["folder", "forbidden", "dangling link", "circular link", "folder forbidden"]
)
@pytest.mark.parametrize("kind", READERS)
def test_something_else_in_the_place_of_a_file(tmp_path: Path, kind: str, what: str) -> None:
    name, read = READERS[kind]
    place = tmp_path / "place"
    place.mkdir()
    file = place / name
    match what:
        case "folder":
            file.mkdir()
        case "dangling link":
            file.symlink_to("nowhere")
        case "circular link":
            file.symlink_to(name)
        case _:
            file.write_bytes(b"x")
    if "forbidden" not in what:
        attempt(lambda: read(file))
        return
    (place if what.startswith("folder") else file).chmod(0)
    if os.geteuid():
        attempt(lambda: read(file))
        return
    os.seteuid(NOBODY)
    try:
        attempt(lambda: read(file))
    finally:
        os.seteuid(0)


def attempt(read: Callable[[], object]) -> None:
    try:
        read()
    except FissionError as error:
        one_line(error)
    except OSError as error:
        explained = error.strerror and error.filename  # `exit_code_of` prints both in one line
        if not explained:
            pytest.fail(f"not explained: {error!r}")


# -- something else in the place of a folder -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("net/simulation", "net/simulation"),
        ("net/.fission", "net/.fission"),
        ("net/.fission/simulation", "net/.fission/simulation"),
        ("net/.lock/", "net/.lock"),
        ("FISSION.log/", "FISSION.log"),
    ],
)
def test_something_else_in_the_place_of_what_a_command_makes(
    project: Project, place: str, named: str
) -> None:
    project.write(
        config="JOBS = [ClockJob(outputs=[PicklePipe(1)]), CSVSinkJob('out.csv', inputs=[PicklePipe(1)])]\n"
    )
    path = project.root / place
    path.parent.mkdir(exist_ok=True)
    if place.endswith("/"):
        path.mkdir()
    else:
        path.write_text("in the way")
    verb = "simulate" if "simulation" in place else "run"
    done = subprocess.run(
        project.command(verb, "--for", "1s"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (1, 2), done
    last = done.stderr.strip().splitlines()[-1]
    assert f"{project.root / named}: " in last, done.stderr
    assert "bug in fission" not in done.stderr
