"""Bundles: the files of a project that nodes receive, listed by content.

`code_bundle` has the user's modules, `job_bundle` what lies in the folder of one job, `bundles_of` both for a network,
read in a thread. `ship` brings the contents of bundles to a node that lacks them.
"""

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.engine.files.manifest import File, Manifest, ManifestError, hash_file, safe_path
from fission.engine.files.transfer import Source, ship
from fission.errors import ProjectError
from fission.project.job_files.dependencies import dependency_tree
from fission.project.job_files.own_code import own_code
from fission.project.job_files.tree import Tree, unreadable

__all__ = ["Bundle", "HashCache", "Source", "bundles_of", "code_bundle", "job_bundle", "ship"]


@dataclass(frozen=True)
class Bundle:
    """A manifest on the machine that has the files: `sources` has the path of every content."""

    listing: Manifest
    sources: Mapping[str, Source] = field(repr=False)
    warnings: tuple[str, ...] = ()
    """The files that were left out, with reasons."""

    @property
    def digest(self) -> str:
        """The digest of the manifest: equal digests mean equal folders."""
        return self.listing.digest

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return self.listing.size


class HashCache:
    """A cache of digests of files that look unchanged since they were read."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}

    def digest(self, path: Path) -> tuple[os.stat_result, str]:
        """Return the entry of `path` and its content's digest. Raises ProjectError when it cannot be read."""
        try:
            about = path.stat()
            key = (str(path), about.st_size, about.st_mtime_ns, about.st_ino)
            if key not in self._known:
                self._known[key] = hash_file(path)
            return about, self._known[key]
        except OSError as error:
            raise unreadable(path, error) from error


def code_bundle(network: Network, root: Path, hashes: HashCache | None = None) -> Bundle:
    """List the user's modules in the project `root`, which every node receives. Raises ProjectError."""
    tree, warnings = own_code(root, without=root / network.settings.log_file)
    return _bundle(tree, hashes or HashCache(), warnings)


def job_bundle(network: Network, job: BaseJob, hashes: HashCache | None = None) -> Bundle:
    """List the files in the folder of a job at its start, as in `simulate`. Raises ProjectError."""
    tree = dependency_tree(network, job)
    warnings = tuple(f"{path} in DEPENDENCIES of {job.name} is no file" for path in tree.left_out)
    return _bundle(tree, hashes or HashCache(), warnings)


async def bundles_of(network: Network, root: Path) -> tuple[Bundle, dict[int, Bundle]]:
    """Return the bundle of the user's modules and that of each job, by its id. Reads in a thread.

    Raises ProjectError.
    """
    hashes = HashCache()
    code = await asyncio.to_thread(code_bundle, network, root, hashes)
    jobs = {job.id: await asyncio.to_thread(job_bundle, network, job, hashes) for job in network.jobs}
    return code, jobs


def _bundle(tree: Tree, hashes: HashCache, warnings: tuple[str, ...]) -> Bundle:
    files: list[File] = []
    sources: dict[str, Source] = {}
    for path, place in sorted(tree.files.items()):
        _check_name(path, place)
        about, digest = hashes.digest(place)
        files.append(File(path, about.st_size, stat.S_IMODE(about.st_mode) & 0o777, digest))
        sources[digest] = Source(place, about.st_size, about.st_mtime_ns)
    for path in tree.folders:
        _check_name(path, Path(path))
    return Bundle(Manifest(tuple(files), tuple(sorted(tree.folders))), sources, warnings)


def _check_name(path: str, place: Path) -> None:
    try:
        safe_path(path)
    except ManifestError as error:
        raise ProjectError(
            "a file with this name cannot go to a node",
            where=ascii(str(place)),
            expected="a name in UTF-8 with at most 255 bytes",
        ) from error
