"""The store of checkpoints: entries and states, fencing, removal, damaged files, several threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fission.engine.checkpoints.store import LARGEST, CheckpointEntry, CheckpointKey, CheckpointStore
from fission.errors import RunError
from fission.runtime.messages import LOG_EPOCH
from kits.checkpoints import KEY, entry


def read(store: CheckpointStore, digest: str) -> bytes:
    with store.open(KEY, digest) as file:
        return file.read()


def test_an_entry_needs_its_state_once(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    assert not store.put(KEY, 1, entry(5), (1, 0), None)
    assert store.put(KEY, 1, entry(5), (1, 0), b"state")
    assert store.put(KEY, 1, entry(9), (1, 0), None)
    again = CheckpointStore(tmp_path)
    assert again.fence(KEY, 2) == (entry(5), entry(9))
    assert read(again, entry(5).digest) == b"state"


def test_what_is_not_needed_any_more_is_forgotten(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for round in range(1, 6):
        digest = f"{round:08x}"
        assert store.put(KEY, 1, entry(round, digest=digest, size=1), (1, round - 2), bytes([round]))
    assert [one.round for one in store.fence(KEY, 1)] == [3, 4, 5]
    kept = {path.name for path in (tmp_path / "net" / "run" / "3").iterdir()}
    digests = ["00000003", "00000004", "00000005"]
    assert kept == {
        *digests,
        *(entry(number, digest=digests[number - 3], size=1).name for number in (3, 4, 5)),
        "from-1",
    }
    with pytest.raises(RunError, match="no such state"):
        store.open(KEY, "00000001")


def test_of_the_log_of_optional_inputs_the_newest_version_is_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    assert store.put(KEY, 1, entry(5), (1, 0), b"state")
    for version in (9, 10, 8):  # an answer may come late
        data = b"log %d" % version
        assert store.put(KEY, 1, entry(version, data, epoch=LOG_EPOCH), (1, 5), data)
    assert store.put(KEY, 1, entry(7), (1, 5), None)
    newest = entry(10, b"log 10", epoch=LOG_EPOCH)
    assert store.fence(KEY, 2) == (newest, entry(5), entry(7))
    data = b"log 11"
    assert store.put(KEY, 2, entry(11, data, epoch=LOG_EPOCH, by=2), (1, 7), data)
    assert store.fence(KEY, 3) == (entry(11, data, epoch=LOG_EPOCH, by=2), entry(7))


def test_an_older_incarnation_is_refused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.put(KEY, 1, entry(5), (1, 0), b"state")
    store.fence(KEY, 2)
    with pytest.raises(RunError, match="newer incarnation"):
        store.put(KEY, 1, entry(6), (1, 0), b"state")
    assert store.put(KEY, 2, entry(6), (1, 5), None)


def test_runs_that_are_over_are_forgotten(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    other = CheckpointKey("net", "old", 3)
    for key in (KEY, other):
        store.put(key, 1, entry(5), (1, 0), b"state")
    store.keep_runs("net", ["run"])
    assert store.fence(other, 1) == ()
    assert store.fence(KEY, 1) == (entry(5),)


@pytest.mark.parametrize("key", [("..", "run", 1), ("net", "a/b", 1), ("net", "run", "1"), ("", "run", 1)])
def test_names_that_lead_elsewhere(key: tuple[str, str, int]) -> None:
    with pytest.raises(RunError, match="not the name of a job"):
        CheckpointKey(*key)


def test_a_digest_that_leads_elsewhere(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    with pytest.raises(RunError, match="invalid digest"):
        store.put(KEY, 1, entry(1, digest="../../x"), (1, 0), b"state")
    with pytest.raises(RunError, match="no such state"):
        store.open(KEY, "../../x")


def test_names_that_are_not_english(tmp_path: Path) -> None:
    store, key = CheckpointStore(tmp_path), CheckpointKey("größe", "0a1b", 1)
    assert store.put(key, 1, entry(5), (1, 0), b"state")
    assert store.fence(key, 2) == (entry(5),)


def test_a_damaged_state_does_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, folder = CheckpointStore(tmp_path), tmp_path / "net" / "run" / "3"
    for round in (5, 6):
        store.put(KEY, 1, entry(round, digest=f"{round:08x}", size=5), (1, 0), b"state")
    (folder / "00000006").write_bytes(b"")  # as a power cut leaves it
    (folder / "index.json").write_text("nothing that we know")
    assert CheckpointStore(tmp_path).fence(KEY, 2) == (entry(5, digest="00000005"),)
    assert "a state of job 3 of net is damaged: 1-6-00000006-5-1-" in caplog.text
    assert sorted(path.name for path in folder.iterdir()) == [
        "00000005",
        entry(5, digest="00000005").name,
        "from-2",
    ]
    assert not store.put(KEY, 2, entry(6, digest="00000006"), (1, 0), None)
    assert store.put(KEY, 2, entry(6, digest="00000006"), (1, 0), b"state")
    assert read(store, "00000006") == b"state"


@pytest.mark.parametrize(
    "strange",
    [
        replace(entry(1), round=-5),
        replace(entry(1), epoch="../x"),
        replace(entry(1), incarnation=1 << 70),
        replace(entry(1), epoch=True),
    ],
)
def test_a_place_that_cannot_be(tmp_path: Path, strange: CheckpointEntry) -> None:
    with pytest.raises(RunError, match="invalid place"):
        CheckpointStore(tmp_path).put(KEY, 1, strange, (1, 0), b"state")
    assert not list(tmp_path.iterdir())


def test_a_code_that_leads_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="invalid authentication code"):
        CheckpointStore(tmp_path).put(KEY, 1, replace(entry(1), code="../x"), (1, 0), b"state")
    assert not list(tmp_path.iterdir())


def test_a_state_that_is_sent_again_replaces_a_damaged_copy(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.put(KEY, 1, entry(5), (1, 0), b"state")
    (tmp_path / "net" / "run" / "3" / entry(5).digest).write_bytes(b"stale")
    store.put(KEY, 2, entry(5), (0, 0), b"state")
    assert read(store, entry(5).digest) == b"state"
    assert store.fence(KEY, 2) == (entry(5),)


def test_a_state_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="too large"):
        CheckpointStore(tmp_path).put(KEY, 1, entry(1, size=LARGEST + 1), (1, 0), None)


def test_threads_do_not_undo_what_others_did(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)

    def put(incarnation: int, round: int) -> None:
        try:
            store.put(KEY, incarnation, entry(round, digest=f"{round:08x}", size=1), (1, 0), b"x")
        except RunError as error:
            assert "newer incarnation" in str(error)  # noqa: PT017 - one of two good ends

    with ThreadPoolExecutor(8) as threads:
        for newest in range(2, 60):
            puts = [threads.submit(put, newest - 1, 4 * newest + i) for i in range(4)]
            threads.submit(store.fence, KEY, newest).result()
            for one in puts:
                one.result()
            with pytest.raises(RunError, match="newer incarnation"):
                store.put(KEY, newest - 1, entry(1), (1, 0), b"state")
