"""Brings the states of this machine's jobs to other machines, and back before a job is started again.

The client says which machines keep states (`keepers`): itself first, then the nodes. Each state goes to the client
and to one node, or to two nodes while the client is away. It counts as kept when those of the two that answer soon have
it, and at least one does.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from time import monotonic

from fission.engine.checkpoints.rpc import CheckpointClient
from fission.engine.checkpoints.store import CheckpointEntry, CheckpointKey
from fission.engine.protocol.interfaces import JobOrder
from fission.errors import RunError
from fission.runtime.messages import Checkpoint
from fission.security import IdentityFiles

_log = logging.getLogger(__name__)
COPIES = 2
_LATE_SECONDS = 1.0
"""How long one copy waits for the other."""
_TINY = 4 << 10
"""A state that is not larger is sent without asking whether it is there."""
_PATIENCE = 10.0
"""Seconds for which those are asked again that are silent when a state must be somewhere."""
_PAUSE = 0.3
_SMALL = 1 << 20
"""A state that is not larger is brought over a link that stands: TLS would take longer to greet than it takes to come."""


class CheckpointReplicator:
    """The `Replicator` of a `JobHost`.

    `own` is the address of the machine's own `CheckpointServer`, which is no other machine and does not count. The client has ""
    there: what it keeps outlives its process, and that is what its jobs need.
    """

    def __init__(self, identity: IdentityFiles | None) -> None:
        self.own = ""
        self._identity = identity
        self._keepers: dict[str, tuple[str, ...]] = {}
        self._links: dict[str, CheckpointClient] = {}
        self._last: dict[CheckpointKey, tuple[str, Path]] = {}
        self._puts: dict[asyncio.Task[bool], tuple[str, CheckpointKey]] = {}

    def set_keepers(self, network: str, addresses: Sequence[str]) -> None:
        """Say who keeps the states of a network, in order of preference."""
        self._keepers[network] = tuple(addresses)
        self._close_unused()

    async def store(self, network: str, run: str, job: int, incarnation: int, checkpoint: Checkpoint) -> bool:
        """Bring a state to where it outlives this machine; return whether it is there now. Raises RunError."""
        key = CheckpointKey(network, run, job)
        entry = CheckpointEntry(checkpoint.epoch, checkpoint.round, checkpoint.digest, checkpoint.size)
        if checkpoint.path:
            self._last[key] = (checkpoint.digest, Path(checkpoint.path))
        digest, file = self._last.get(key, ("", Path()))
        known = file if digest == checkpoint.digest else None
        reasons: list[str] = []

        def put(address: str) -> asyncio.Task[bool]:
            work = self._put(address, key, incarnation, entry, checkpoint.needed_from, known)
            task = asyncio.create_task(work)
            self._puts[task] = (address, key)
            task.add_done_callback(self._put_ended)
            return task

        busy = {address for address, other in self._puts.values() if other == key}
        targets = self._targets(network)
        kept = await self._spread([one for one in targets if one not in busy], put, reasons)
        if not kept:  # those that are late with an earlier one
            kept = await self._spread([one for one in targets if one in busy], put, reasons)
        if not kept and reasons:
            raise RunError("nobody keeps it", found="; ".join(reasons))
        return kept > 0

    async def fetch(self, order: JobOrder, folder: Path) -> tuple[Checkpoint, ...]:
        """Refuse older incarnations of a job everywhere, and bring what is kept of it into a folder."""
        key = CheckpointKey(order.network, order.spec.run, order.spec.job_id)
        self.set_keepers(order.network, order.keepers)
        busy = {address for address, _ in self._puts.values()}
        extra = {
            address: CheckpointClient(address, self._identity) for address in busy
        }  # that wait for no big state
        links = [extra.get(address) or self._link(address) for address in order.keepers]
        try:
            return await self._fetch(order, key, folder, links)
        finally:
            for link in extra.values():
                link.close()

    def forget(self, network: str) -> None:
        """No job of a network is here now; a start tells again who keeps the states."""
        self._keepers.pop(network, None)
        self._close_unused()
        for key in [key for key in self._last if key.network == network]:
            del self._last[key]

    def close(self) -> None:
        """Close all connections."""
        for task in self._puts:
            task.cancel()
        for link in self._links.values():
            link.close()
        self._links.clear()

    # -- inside ------------------------------------------------------------------------------------------

    def _targets(self, network: str) -> list[str]:
        """Who keeps the states of our jobs: the client, then the nodes that follow this one in a circle."""
        keepers = list(self._keepers.get(network, ()))
        if self.own not in keepers:
            return keepers
        index = keepers.index(self.own)
        return [*keepers[:1], *keepers[index + 1 :], *keepers[1:index]] if index else keepers[1:]

    def _close_unused(self) -> None:
        used = {address for addresses in self._keepers.values() for address in addresses}
        for address in self._links.keys() - used:
            self._links.pop(address).close()

    def _link(self, address: str) -> CheckpointClient:
        if address not in self._links:
            self._links[address] = CheckpointClient(address, self._identity)
        return self._links[address]

    async def _spread(
        self, targets: Iterable[str], put: Callable[[str], asyncio.Task[bool]], reasons: list[str]
    ) -> int:
        """Put a state where it is kept until there are enough copies; return how many there are.

        When there is one, the other may be late: it goes on, but is not waited for.
        """
        kept, rest = 0, iter(targets)
        while kept < COPIES:
            pending = {put(address) for _, address in zip(range(COPIES - kept), rest, strict=False)}
            if not pending:
                break
            while pending:
                done, pending = await asyncio.wait(
                    pending, timeout=_LATE_SECONDS if kept else None, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    return kept
                for task in done:
                    try:
                        kept += task.result()
                    except RunError as error:
                        reasons.append(str(error))
        return kept

    def _put_ended(self, task: asyncio.Task[bool]) -> None:
        del self._puts[task]
        if not task.cancelled() and task.exception() is not None:
            _log.debug("a state was not kept: %s", task.exception())

    async def _fetch(
        self, order: JobOrder, key: CheckpointKey, folder: Path, links: Sequence[CheckpointClient]
    ) -> tuple[Checkpoint, ...]:
        answers = await self._fence(order, key, links)
        places: dict[str, list[CheckpointClient]] = {}
        names: dict[str, str] = {}
        entries: set[CheckpointEntry] = set()
        silent: list[str] = []
        for link, answer in answers.items():
            if isinstance(answer, BaseException):
                _log.warning("job %d of %s: its state is not asked for: %s", key.job, key.network, answer)
                silent.append(link.address)
                continue
            entries |= set(answer)
            for entry in answer:
                places.setdefault(entry.digest, []).append(link)
                names[entry.digest] = f"{order.spec.incarnation}-{entry.epoch}-{entry.round}.state"
        if silent and not entries:
            self._require_answers(order, answers, silent)
        sizes = {entry.digest: entry.size for entry in entries}
        brought = await asyncio.gather(
            *(
                self._bring(key, digest, sizes[digest], holders, folder / names[digest])
                for digest, holders in places.items()
            )
        )
        paths = {digest: path for digest, path in zip(places, brought, strict=True) if isinstance(path, Path)}
        if entries and not paths:
            raise RunError(
                "its state is kept but cannot be brought here",
                where=f"job {key.job}",
                found="; ".join(sorted({str(why) for why in brought})),
            )
        return tuple(
            Checkpoint(entry.epoch, entry.round, os.fspath(paths[entry.digest]), entry.digest, entry.size)
            for entry in sorted(entries)
            if entry.digest in paths
        )

    def _require_answers(
        self, order: JobOrder, asked: Iterable[CheckpointClient], silent: Collection[str]
    ) -> None:
        """Nothing was found: raise RunError where those who are silent may have it."""
        others = {link.address for link in asked if link.address != self.own}
        if order.spec.stored:
            what = "its state is not found, and not all answer who may keep it"
        elif others <= set(silent):
            what = "nobody who may keep its state answers"
        else:
            return
        raise RunError(what, where=f"job {order.spec.job_id}", found=f"no answer from {', '.join(silent)}")

    async def _fence(
        self, order: JobOrder, key: CheckpointKey, links: Sequence[CheckpointClient]
    ) -> dict[CheckpointClient, tuple[CheckpointEntry, ...] | BaseException]:
        """What each keeper has of a job, or why it does not say so.

        If there must be a state and none is found, those that are silent are asked again for a while, as long as the
        client counts them among the keepers.
        """
        answers: dict[CheckpointClient, tuple[CheckpointEntry, ...] | BaseException] = {}
        until = monotonic() + (_PATIENCE if order.spec.stored else 0.0)
        silent = list(links)
        while True:
            said = await asyncio.gather(
                *(link.fence(key, order.spec.incarnation) for link in silent), return_exceptions=True
            )
            answers.update(zip(silent, said, strict=True))
            found = any(not isinstance(one, BaseException) and one for one in answers.values())
            silent = [link for link, one in answers.items() if isinstance(one, BaseException)]
            there = self._keepers.get(key.network, ())
            if found or monotonic() >= until or not any(link.address in there for link in silent):
                return answers
            await asyncio.sleep(_PAUSE)

    async def _put(
        self,
        address: str,
        key: CheckpointKey,
        incarnation: int,
        entry: CheckpointEntry,
        needed_from: tuple[int, int],
        file: Path | None,
    ) -> bool:
        link = self._link(address)
        tiny = file is not None and entry.size <= _TINY  # to ask whether it is there would be no less to send
        if not tiny and await link.put(key, incarnation, entry, needed_from, None):
            return True
        if file is None:
            return False
        try:
            state = file.open("rb")
        except FileNotFoundError:
            return False  # the job has written a newer one meanwhile
        with state:
            return await link.put(key, incarnation, entry, needed_from, state)

    async def _bring(
        self, key: CheckpointKey, digest: str, size: int, holders: Sequence[CheckpointClient], path: Path
    ) -> Path | RunError:
        """Return the file, or why the last one of the holders could not give it."""
        why = RunError("nobody has it")
        for holder in holders:
            # nobody else waits while a big state comes
            link = holder if size <= _SMALL else CheckpointClient(holder.address, self._identity)
            try:
                await link.get(key, digest, path)
            except RunError as error:
                _log.warning("job %d of %s: a state is not brought: %s", key.job, key.network, error)
                why = error
                continue
            finally:
                if link is not holder:
                    link.close()
            return path
        return why
