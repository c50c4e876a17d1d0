"""Copies the checkpoints of this machine's jobs to other machines, and fetches them before a job is restarted.

The client announces the machines that store checkpoints, the `replicas`: itself first, then the nodes. Each checkpoint goes to
the client and to one node, or to two nodes while the client is away. It counts as stored when those of the two that answer
soon have it, and at least one does.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from fission.engine.checkpoints.authentication import checkpoint_code, is_genuine
from fission.engine.checkpoints.client import CheckpointClient, DamagedStateError
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey
from fission.engine.protocol.interfaces import CheckpointWriter, JobOrder
from fission.engine.transport.dialer import Dialer
from fission.errors import RunError
from fission.runtime.checkpointing.digest import state_hash
from fission.runtime.messages import LOG_EPOCH, Checkpoint
from fission.security import IdentityFiles, Role

_log = logging.getLogger(__name__)

COPIES = 2
_LATE_SECONDS = 1.0
"""How long one copy waits for the other."""
_TINY = 4 << 10
"""A state that is not larger is sent without asking first whether the replica has it."""
_PATIENCE = 10.0
"""Seconds for which silent replicas are asked again when a checkpoint must exist."""
_PAUSE = 0.3

_Answers = dict[CheckpointClient, tuple[CheckpointEntry, ...] | BaseException]


class CheckpointReplicator:
    """The `Replicator` of a `JobHost`.

    `own` is the address of the machine's own `CheckpointServer`, whose copies do not count because they are lost together
    with the job. The client has "" there: its copies outlive its process, and that is enough for its jobs.
    """

    def __init__(self, identity: IdentityFiles | None) -> None:
        self.own = ""
        self._identity = identity
        self._dialer: Dialer | None = None
        self._replicas: dict[str, tuple[str, ...]] = {}
        self._clients: dict[str, CheckpointClient] = {}
        self._last: dict[
            tuple[CheckpointKey, bool], tuple[str, Path]
        ] = {}  # a state, or a log of optional inputs
        self._puts: dict[asyncio.Task[bool], tuple[str, CheckpointKey]] = {}
        self._repairs: set[asyncio.Task[None]] = set()

    def set_replicas(self, network: str, addresses: Sequence[str]) -> None:
        """Set the replicas of a network, in order of preference."""
        self._replicas[network] = tuple(addresses)
        self._close_unused()

    async def store(self, writer: CheckpointWriter, checkpoint: Checkpoint) -> bool:
        """Copy a checkpoint to where it outlives this machine; return whether it is stored. Raises RunError."""
        key = CheckpointKey(writer.network, writer.run, writer.job)
        kind = (key, checkpoint.epoch == LOG_EPOCH)
        if checkpoint.path:
            self._last[kind] = (checkpoint.digest, Path(checkpoint.path))
        digest, file = self._last.get(kind, ("", Path()))
        known = file if digest == checkpoint.digest else None
        entry = _signed(writer, key, checkpoint)
        reasons: list[str] = []

        def put(address: str) -> asyncio.Task[bool]:
            work = self._put(address, key, writer.incarnation, entry, checkpoint.needed_from, known)
            task = asyncio.create_task(work)
            self._puts[task] = (address, key)
            task.add_done_callback(self._put_ended)
            return task

        busy = {address for address, other in self._puts.values() if other == key}
        targets = self._targets(writer.network)
        stored = await self._spread([one for one in targets if one not in busy], put, reasons)
        if not stored:  # the replicas that are late with an earlier one
            stored = await self._spread([one for one in targets if one in busy], put, reasons)
        if not stored and reasons:
            raise RunError("no replica stores it", found="; ".join(reasons))
        return stored > 0

    async def fetch(self, order: JobOrder, folder: Path) -> tuple[Checkpoint, ...]:
        """Fence older incarnations of a job at all replicas, and bring its checkpoints into a folder. Raises RunError."""
        key = CheckpointKey(order.network, order.spec.run, order.spec.job_id)
        self.set_replicas(order.network, order.replicas)
        answers = await self._fence(order, key, [self._client(address) for address in order.replicas])
        entries: dict[CheckpointEntry, list[CheckpointClient]] = {}
        silent: list[str] = []
        for client, answer in answers.items():
            if isinstance(answer, BaseException):
                _log.warning("job %d of %s: a replica is left out: %s", key.job, key.network, answer)
                silent.append(client.address)
                continue
            for entry in answer:
                if _acceptable(order, key, entry):
                    entries.setdefault(entry, []).append(client)
                else:
                    _log.warning(
                        "job %d of %s: %s has a checkpoint that no host of the job has signed: ignored",
                        key.job,
                        key.network,
                        client.address,
                    )
        if silent and not entries:
            self._require_answers(order, answers, silent)
        return await self._bring_all(order, key, entries, folder)

    def forget(self, network: str) -> None:
        """Drop the replicas of a network that has no job here; the next order names them again."""
        self._replicas.pop(network, None)
        self._close_unused()
        for kind in [kind for kind in self._last if kind[0].network == network]:
            del self._last[kind]

    def close(self) -> None:
        """Close all connections."""
        for task in (*self._puts, *self._repairs):
            task.cancel()
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    # -- connections -------------------------------------------------------------------------------------

    def _targets(self, network: str) -> list[str]:
        """Return the replicas for our jobs: the client, then the nodes that follow this one in a circle."""
        replicas = list(self._replicas.get(network, ()))
        if self.own not in replicas:
            return replicas
        index = replicas.index(self.own)
        return [*replicas[:1], *replicas[index + 1 :], *replicas[1:index]] if index else replicas[1:]

    def _close_unused(self) -> None:
        used = {address for addresses in self._replicas.values() for address in addresses}
        for address in self._clients.keys() - used:
            self._clients.pop(address).close()

    def _client(self, address: str) -> CheckpointClient:
        if self._dialer is None:
            self._dialer = Dialer(self._identity, (Role.NODE, Role.CLIENT))
        if address not in self._clients:
            self._clients[address] = CheckpointClient(address, self._dialer)
        return self._clients[address]

    # -- storing -----------------------------------------------------------------------------------------

    async def _spread(
        self, targets: Iterable[str], put: Callable[[str], asyncio.Task[bool]], reasons: list[str]
    ) -> int:
        """Put a checkpoint to replicas until there are enough copies; return how many there are.

        When there is one, the other may be late: it continues without being waited for.
        """
        stored, rest = 0, iter(targets)
        while stored < COPIES:
            pending = {put(address) for _, address in zip(range(COPIES - stored), rest, strict=False)}
            if not pending:
                break
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=_LATE_SECONDS if stored else None, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    return stored
                for task in done:
                    try:
                        stored += task.result()
                    except RunError as error:
                        reasons.append(str(error))
        return stored

    def _put_ended(self, task: asyncio.Task[bool]) -> None:
        del self._puts[task]
        if not task.cancelled() and task.exception() is not None:
            _log.debug("a checkpoint was not stored: %s", task.exception())

    async def _put(
        self,
        address: str,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        needed_from: tuple[int, int],
        file: Path | None,
    ) -> bool:
        client = self._client(address)
        tiny = file is not None and entry.size <= _TINY  # the question would be as long as the state
        if not tiny and await client.put(key, incarnation, entry, needed_from, None):
            return True
        if file is None:
            return False
        try:
            state = file.open("rb")
        except FileNotFoundError:
            return False  # the job has written a newer one meanwhile
        with state:
            return await client.put(key, incarnation, entry, needed_from, state)

    # -- fetching ----------------------------------------------------------------------------------------

    async def _fence(
        self, order: JobOrder, key: CheckpointKey, clients: Sequence[CheckpointClient]
    ) -> _Answers:
        """Return the entries that each replica has of a job, or why it does not answer.

        If a checkpoint must exist and none is found, silent replicas are asked again for a while, as long as the client
        counts them among the replicas.
        """
        answers: _Answers = {}
        until = monotonic() + (_PATIENCE if order.spec.stored else 0.0)
        silent = list(clients)
        while True:
            said = await asyncio.gather(
                *(client.fence(key, order.spec.incarnation) for client in silent), return_exceptions=True
            )
            answers.update(zip(silent, said, strict=True))
            found = any(not isinstance(one, BaseException) and one for one in answers.values())
            silent = [client for client, one in answers.items() if isinstance(one, BaseException)]
            there = self._replicas.get(key.network, ())
            if found or monotonic() >= until or not any(client.address in there for client in silent):
                return answers
            await asyncio.sleep(_PAUSE)

    def _require_answers(
        self, order: JobOrder, asked: Iterable[CheckpointClient], silent: Collection[str]
    ) -> None:
        """Raise RunError where no checkpoint was found and the silent replicas may have one."""
        others = {client.address for client in asked if client.address != self.own}
        if order.spec.stored:
            what = "its checkpoint is not found, and not all replicas answer"
        elif others <= set(silent):
            what = "no replica that may have its checkpoint answers"
        else:
            return
        raise RunError(what, where=f"job {order.spec.job_id}", found=f"no answer from {', '.join(silent)}")

    async def _bring_all(
        self,
        order: JobOrder,
        key: CheckpointKey,
        entries: dict[CheckpointEntry, list[CheckpointClient]],
        folder: Path,
    ) -> tuple[Checkpoint, ...]:
        """Bring each state once, from a replica whose copy is good."""
        states: dict[str, CheckpointEntry] = {}
        holders: dict[str, list[CheckpointClient]] = {}
        for entry, clients in sorted(entries.items(), key=lambda item: item[0]):
            states[entry.digest] = entry
            known = holders.setdefault(entry.digest, [])
            known.extend(client for client in clients if client not in known)
        brought = await asyncio.gather(
            *(self._bring(order, key, entry, holders[digest], folder) for digest, entry in states.items())
        )
        paths = {digest: path for digest, path in zip(states, brought, strict=True) if isinstance(path, Path)}
        if entries and not paths:
            raise RunError(
                "its checkpoint is stored but cannot be brought here",
                where=f"job {key.job}",
                found="; ".join(sorted({str(why) for why in brought})),
            )
        return tuple(
            Checkpoint(entry.epoch, entry.round, os.fspath(paths[entry.digest]), entry.digest, entry.size)
            for entry in sorted(entries)
            if entry.digest in paths
        )

    async def _bring(
        self,
        order: JobOrder,
        key: CheckpointKey,
        entry: CheckpointEntry,
        holders: Sequence[CheckpointClient],
        folder: Path,
    ) -> Path | RunError:
        """Return the file of a state, or why the last replica could not give it; replace damaged copies.

        What an earlier incarnation has left in the folder is used in place, which needs no room on a full disk.
        """
        if (left := await asyncio.to_thread(_file_of, entry, folder)) is not None:
            return left
        incarnation = order.spec.incarnation
        # two incarnations may have stored different states after the same round
        path = folder / f"{incarnation}-{entry.epoch}-{entry.round}-{entry.digest}.state"
        why = RunError("no replica has it")
        damaged: list[CheckpointClient] = []
        for holder in holders:
            try:
                await holder.get(key, incarnation, entry, path)
            except RunError as error:
                _log.warning("job %d of %s: a state is not brought: %s", key.job, key.network, error)
                why = error
                if isinstance(error, DamagedStateError):
                    damaged.append(holder)
                continue
            for one in damaged:
                self._repair(one, key, incarnation, entry, path)
            return path
        return why

    def _repair(
        self,
        client: CheckpointClient,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        path: Path,
    ) -> None:
        """Replace a damaged copy by a good one, while the job starts."""

        async def repair() -> None:
            try:
                with path.open("rb") as state:
                    await client.put(key, incarnation, entry, (0, 0), state)
            except (RunError, OSError) as error:
                _log.warning("job %d of %s: a damaged copy stays: %s", key.job, key.network, error)
            else:
                _log.warning("job %d of %s: the copy at %s is replaced", key.job, key.network, client.address)

        task = asyncio.create_task(repair())
        self._repairs.add(task)
        task.add_done_callback(self._repairs.discard)


def _file_of(entry: CheckpointEntry, folder: Path) -> Path | None:
    """Return a file in this folder that is the state of an entry, by its digest; None when there is none."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_file() and path.stat().st_size == entry.size:
                with path.open("rb") as file:
                    if hashlib.file_digest(file, state_hash).hexdigest() == entry.digest:
                        return path
    return None


def _signed(writer: CheckpointWriter, key: CheckpointKey, checkpoint: Checkpoint) -> CheckpointEntry:
    entry = CheckpointEntry(
        checkpoint.epoch, checkpoint.round, checkpoint.digest, checkpoint.size, writer.incarnation, ""
    )
    return replace(entry, code=checkpoint_code(writer.key, key, entry))


def _acceptable(order: JobOrder, key: CheckpointKey, entry: CheckpointEntry) -> bool:
    """Whether an earlier host of the job has signed an entry, so that its state may be restored."""
    return entry.incarnation < order.spec.incarnation and is_genuine(order.checkpoint_key, key, entry)
