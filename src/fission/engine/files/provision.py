"""Provides the files of jobs to a `JobHost`: on a node from its store, on the client from the project.

Both do their work in threads, so that nothing else has to wait.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from fission.engine.files.bundles import Bundle
from fission.engine.files.manifest import ManifestError
from fission.engine.files.store import Store
from fission.engine.files.transfer import DROP, LACKS, PUT
from fission.engine.protocol.interfaces import Plain
from fission.errors import FissionError, RunError

Operation = Callable[[Mapping[str, Plain]], Awaitable[Plain]]
"""`await operation(arguments)`: an operation that a node offers to its clients."""


class StoredFiles:
    """The files of a node's jobs, from its store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def install(self, digest: str, folder: Path) -> None:
        """Copy the files of a bundle into a folder. Raises RunError."""
        await asyncio.to_thread(self._store.install, digest, folder)

    async def code_path(self, digest: str) -> Path:
        """Return the folder from which the modules of a bundle can be imported. Raises RunError."""
        return await asyncio.to_thread(self._store.code_path, digest)


class OriginalFiles:
    """The files of the client's own jobs: its modules are imported from the project's folder `root` itself."""

    def __init__(self, root: Path, bundles: Iterable[Bundle]) -> None:
        self._root = root
        self._bundles = {bundle.digest: bundle for bundle in bundles}

    def add(self, bundles: Iterable[Bundle]) -> None:
        """Add further bundles."""
        self._bundles |= {bundle.digest: bundle for bundle in bundles}

    async def install(self, digest: str, folder: Path) -> None:
        """Copy the files of a bundle into a folder. Raises RunError."""
        await asyncio.to_thread(_copy, self._bundles[digest], folder)

    async def code_path(self, digest: str) -> Path:  # noqa: ARG002 - there is only one
        """Return the folder from which the user's modules can be imported."""
        return self._root


def operations(store: Store) -> dict[str, Operation]:
    """Return a node's operations on files by name (see `engine.files.transfer`).

    A refusal is part of the answer, so that a client can distinguish it from a broken link.
    """
    in_order = asyncio.Lock()  # first come, first served

    def put_all(parts: Plain) -> bool:
        whole = True
        for part in parts:
            if len(part) != 3:
                raise ManifestError("a part of a content is wrong", found=f"{len(part)} items")
            whole = store.put(*part) and whole
        return whole

    async def lacks(arguments: Mapping[str, Plain]) -> Plain:
        try:
            missing = await asyncio.to_thread(store.lacks, arguments["bundles"])
        except FissionError as error:
            return {"error": str(error), "missing": []}
        return {"error": "", "missing": [list(entry) for entry in missing]}

    async def put(arguments: Mapping[str, Plain]) -> Plain:
        try:
            async with in_order:
                whole = await asyncio.to_thread(put_all, arguments["parts"])
        except FissionError as error:
            return {"error": str(error), "whole": False}
        return {"error": "", "whole": whole}

    async def drop(arguments: Mapping[str, Plain]) -> Plain:
        digests = arguments["bundles"]
        if not isinstance(digests, list) or not all(isinstance(one, str) for one in digests):
            raise ManifestError("bundles are no digests", found=ascii(digests)[:80])
        await asyncio.to_thread(store.drop, digests)
        return None

    return {LACKS: lacks, PUT: put, DROP: drop}


def _copy(bundle: Bundle, folder: Path) -> None:
    try:
        for path in bundle.listing.folders:
            (folder / path).mkdir(parents=True, exist_ok=True)
        for file in bundle.listing.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.sources[file.digest].path, target)
            os.chmod(target, file.mode | 0o600)
    except OSError as error:
        raise RunError(
            f"the files of a job cannot be copied: {error.strerror or error}",
            where=str(error.filename or folder),
        ) from error
