"""Transfers contents to a node: queries what is missing, sends it in chunks, resumes after a break.

Two operations of the node do it (`engine.provision.operations`):

```
bundle.lacks  {bundles: [listing, ...]}            -> {error: "" or a line, missing: [[digest, bytes it has], ...]}
bundle.put    {parts: [[digest, offset, data], ...]} -> {error: "" or a line, whole: bool}
```

`whole` says that every part went where it belongs. Else, and when an answer fails to come, the client asks again what is
lacking, which is the truth about every partly sent content, and goes on from there.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fission.engine.files.manifest import CHUNK, Manifest
from fission.engine.protocol.interfaces import LinkError, Plain
from fission.errors import ProjectError, RunError

LACKS = "bundle.lacks"
PUT = "bundle.put"
DROP = "bundle.drop"

_IN_FLIGHT = 4
_TRIES = 8
"""Consecutive attempts without progress before the transfer fails."""
_PAUSE = 0.1
_LONGEST_PAUSE = 3.0
_ANSWER = 60.0
"""Seconds for an answer: a node may have to hash a gigabyte first."""

Request = Callable[..., Awaitable[Plain]]
"""`await request(operation, timeout=seconds, **arguments)`, as `ClientLink.request` for one node. Raises LinkError."""

Progress = Callable[[int, int], None]
"""`progress(done, total)`: bytes of the transfer."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to send, with its size and time when its digest was computed."""

    path: Path
    size: int
    mtime_ns: int


class Transferable(Protocol):
    """What `ship` needs of a bundle."""

    @property
    def listing(self) -> Manifest:
        """The manifest for the node."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The path of each content."""


async def ship(request: Request, bundles: Sequence[Transferable], progress: Progress | None = None) -> None:
    """Transfer all contents of `bundles` that a node lacks; return when it has them.

    Raises ProjectError when a file has changed or vanished meanwhile, RunError when the node refuses or has no room,
    LinkError when the link is lost. Cancel it when the node is lost.
    """
    await _Shipment(request, bundles, progress or (lambda _done, _total: None)).run()


class _Shipment:
    def __init__(self, request: Request, bundles: Sequence[Transferable], progress: Progress) -> None:
        self._request = request
        self._listings = [bundle.listing.plain() for bundle in bundles]
        self._bundles = bundles
        self._progress = progress
        self._before: dict[str, int] = {}
        self._spoiled: Counter[str] = Counter()
        self._total = 0
        self._done = 0

    async def run(self) -> None:
        failures = 0
        problem: RunError = LinkError("the files of the network do not arrive whole")
        while failures < _TRIES:
            failures += 1
            whole = False
            try:
                missing = await self._lacking()
                if not missing:
                    return
                if self._gets_on(missing):
                    failures = 1
                whole = await self._send(missing)
            except LinkError as error:
                problem = error
            if not whole:
                await asyncio.sleep(min(_PAUSE * 2**failures, _LONGEST_PAUSE))
        raise problem

    async def _lacking(self) -> dict[str, int]:
        answer = await self._ask(LACKS, bundles=self._listings)
        missing = {digest: min(have, self._source(digest).size) for digest, have in answer["missing"]}
        left = sum(self._source(digest).size - have for digest, have in missing.items())
        self._total = max(self._total, left)
        self._report(self._total - left)
        return missing

    def _gets_on(self, missing: dict[str, int]) -> bool:
        """Return whether the node has more than at the last query. Also count contents that have shrunk."""
        before, self._before = self._before, missing
        for digest, have in missing.items():
            if have < before.get(digest, 0):
                self._spoiled[digest] += 1
                if self._spoiled[digest] >= _TRIES:
                    raise RunError(
                        "a file arrives spoiled again and again", where=str(self._source(digest).path)
                    )
        return any(missing.get(digest, have + 1) > have for digest, have in before.items())

    async def _send(self, missing: dict[str, int]) -> bool:
        """Send the missing parts, several requests at a time; stop and return False when one fails."""
        running: set[asyncio.Task[bool]] = set()
        requests = self._requests(missing)
        good = True
        try:
            while good:
                while len(running) < _IN_FLIGHT and (planned := next(requests, None)) is not None:
                    parts = await asyncio.to_thread(_read, planned)
                    running.add(asyncio.create_task(self._put(parts)))
                if not running:
                    return True
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                answers = await asyncio.gather(*done, return_exceptions=True)
                for failure in (answer for answer in answers if isinstance(answer, BaseException)):
                    raise failure
                good = all(answers)
            return False
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _put(self, parts: list[list[Any]]) -> bool:
        answer = await self._ask(PUT, parts=parts)
        if answer["whole"]:
            self._report(self._done + sum(len(data) for _digest, _offset, data in parts))
        return bool(answer["whole"])

    async def _ask(self, operation: str, **arguments: Plain) -> Any:
        answer = await self._request(operation, timeout=_ANSWER, **arguments)
        if answer["error"]:
            raise RunError(answer["error"])
        return answer

    def _requests(self, missing: dict[str, int]) -> "Iterator[list[_Part]]":
        """Split the missing contents into requests of about one chunk: parts of large ones, several small ones together."""
        parts: list[_Part] = []
        room = CHUNK
        for digest, have in missing.items():
            source = self._source(digest)
            offset = have
            while True:
                length = min(room, source.size - offset)
                parts.append(_Part(digest, source, offset, length))
                offset += length
                room -= max(length, 1)
                if room <= 0:
                    yield parts
                    parts, room = [], CHUNK
                if offset >= source.size:
                    break
        if parts:
            yield parts

    def _source(self, digest: str) -> Source:
        for bundle in self._bundles:
            if digest in bundle.sources:
                return bundle.sources[digest]
        raise RunError("a node asks for a content that is in no bundle", found=digest[:100])

    def _report(self, done: int) -> None:
        self._done = done
        self._progress(done, self._total)


@dataclass(frozen=True, slots=True)
class _Part:
    digest: str
    source: Source
    offset: int
    length: int


def _read(parts: list[_Part]) -> list[list[Any]]:
    """Read the parts of one request. Raises ProjectError when a file has changed."""
    return [[part.digest, part.offset, _read_part(part)] for part in parts]


def _read_part(part: _Part) -> bytes:
    source = part.source
    try:
        with source.path.open("rb") as file:
            file.seek(part.offset)
            data = file.read(part.length)
        about = source.path.stat()
    except OSError as error:
        raise _changed(source, error.strerror or str(error)) from error
    if len(data) != part.length or (about.st_size, about.st_mtime_ns) != (source.size, source.mtime_ns):
        raise _changed(source, "another size or time")
    return data


def _changed(source: Source, found: str) -> ProjectError:
    return ProjectError(
        "this file was changed while the network was started",
        where=str(source.path),
        found=found,
        hint="Start the network again",
    )
