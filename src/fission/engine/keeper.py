"""Brings the states of this machine's jobs to other machines, and back before a job is started again.

The client says which machines keep states (`keepers`): itself first, then the nodes. Each state goes to the client
and to one node, or to two nodes while the client is away. It counts as kept when those of the two that answer have it,
and at least one does.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from fission.engine.base import JobOrder
from fission.engine.state_link import StateLink
from fission.engine.states import StateEntry, StateKey
from fission.errors import RunError
from fission.runtime.messages import Checkpoint
from fission.security import IdentityFiles

_log = logging.getLogger(__name__)
COPIES = 2


class StateKeeper:
    """The `Keeper` of a `JobHost`.

    `own` is the address of the machine's own `StateServer`, which is no other machine and does not count. The client has ""
    there: what it keeps outlives its process, and that is what its jobs need.
    """

    def __init__(self, identity: IdentityFiles | None) -> None:
        self.own = ""
        self._identity = identity
        self._keepers: dict[str, tuple[str, ...]] = {}
        self._links: dict[str, StateLink] = {}
        self._last: dict[StateKey, tuple[str, Path]] = {}

    def set_keepers(self, network: str, addresses: Sequence[str]) -> None:
        """Say who keeps the states of a network, in order of preference."""
        self._keepers[network] = tuple(addresses)
        for address in [
            one for one in self._links if not any(one in some for some in self._keepers.values())
        ]:
            self._links.pop(address).close()

    async def store(self, network: str, run: str, job: int, incarnation: int, checkpoint: Checkpoint) -> bool:
        """Bring a state to where it outlives this machine; return whether it is there now. Raises RunError."""
        key = StateKey(network, run, job)
        entry = StateEntry(checkpoint.epoch, checkpoint.round, checkpoint.digest, checkpoint.size)
        if checkpoint.path:
            self._last[key] = (checkpoint.digest, Path(checkpoint.path))
        digest, file = self._last.get(key, ("", Path()))
        known = file if digest == checkpoint.digest else None
        kept, reasons = 0, []
        targets = iter(self._targets(network))
        while kept < COPIES:
            batch = [address for _, address in zip(range(COPIES - kept), targets, strict=False)]
            if not batch:
                break
            work = [
                self._put(address, key, incarnation, entry, checkpoint.needed_from, known)
                for address in batch
            ]
            for result in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(result, RunError):
                    reasons.append(str(result))
                elif isinstance(result, BaseException):
                    raise result
                else:
                    kept += result
        if not kept and reasons:
            raise RunError("nobody keeps it", found="; ".join(reasons))
        return kept > 0

    async def fetch(self, order: JobOrder, folder: Path) -> tuple[Checkpoint, ...]:
        """Refuse older incarnations of a job everywhere, and bring what is kept of it into a folder."""
        key = StateKey(order.network, order.spec.run, order.spec.job_id)
        self.set_keepers(order.network, order.keepers)
        links = [self._link(address) for address in order.keepers]
        answers = await asyncio.gather(
            *(link.fence(key, order.spec.incarnation) for link in links), return_exceptions=True
        )
        places: dict[str, list[StateLink]] = {}
        names: dict[str, str] = {}
        entries: set[StateEntry] = set()
        for link, answer in zip(links, answers, strict=True):
            if isinstance(answer, BaseException):
                _log.debug("%s: %s", link.address, answer)
                continue
            entries |= set(answer)
            for entry in answer:
                places.setdefault(entry.digest, []).append(link)
                names[entry.digest] = f"{order.spec.incarnation}-{entry.epoch}-{entry.round}.state"
        paths = {}
        for digest, holders in places.items():
            path = await self._bring(key, digest, holders, folder / names[digest])
            if path is not None:
                paths[digest] = path
        return tuple(
            Checkpoint(entry.epoch, entry.round, os.fspath(paths[entry.digest]), entry.digest, entry.size)
            for entry in sorted(entries)
            if entry.digest in paths
        )

    def forget(self, network: str) -> None:
        """A network has ended here."""
        self._keepers.pop(network, None)
        for key in [key for key in self._last if key.network == network]:
            del self._last[key]

    def close(self) -> None:
        """Close all connections."""
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

    def _link(self, address: str) -> StateLink:
        if address not in self._links:
            self._links[address] = StateLink(address, self._identity)
        return self._links[address]

    async def _put(
        self,
        address: str,
        key: StateKey,
        incarnation: int,
        entry: StateEntry,
        needed_from: tuple[int, int],
        file: Path | None,
    ) -> bool:
        link = self._link(address)
        if await link.put(key, incarnation, entry, needed_from, None):
            return True
        if file is None:
            return False
        try:
            state = await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError:
            return False  # the job has written a newer one meanwhile
        return await link.put(key, incarnation, entry, needed_from, state)

    async def _bring(self, key: StateKey, digest: str, holders: list[StateLink], path: Path) -> Path | None:
        for link in holders:
            with contextlib.suppress(RunError):
                state = await link.get(key, digest)
                await asyncio.to_thread(path.write_bytes, state)
                return path
        return None
