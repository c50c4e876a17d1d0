"""A project with files, a node that is only a store, and a link between them with faults."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fission.core import base
from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.engine.files.bundles import Bundle, code_bundle
from fission.engine.files.provision import operations
from fission.engine.files.store import Store
from fission.engine.protocol.interfaces import LinkError


class Idle(PythonJob):
    def run(self) -> None:
        """Do nothing."""


def network(root: Path, kind: type[PythonJob] = Idle) -> Network:
    """A network with one job, in the project `root`."""
    base.reset()
    found, _problems = Network.build("demo", [kind()], folder=str(root / "demo"))
    return found


def put(root: Path, path: str, content: str | bytes = "") -> Path:
    """Write one file."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def code(root: Path) -> Bundle:
    """The modules of a project."""
    return code_bundle(network(root), root)


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


class Wire:
    """The request function of `ship`. `harm(number, operation, arguments)` may change the arguments, or raise, before
    the node receives them; an error that it returns is raised after the operation.
    """

    def __init__(
        self, store: Store, harm: Callable[[int, str, dict[str, Any]], LinkError | None] | None = None
    ) -> None:
        self.operations = operations(store)
        self.harm = harm or (lambda _number, _operation, _arguments: None)
        self.asked: list[str] = []
        self.bytes = 0

    async def __call__(self, operation: str, *, timeout: float, **arguments: Any) -> Any:
        self.asked.append(operation)
        lost = self.harm(len(self.asked), operation, arguments)
        self.bytes += sum(len(part[2]) for part in arguments.get("parts", ()))
        answer = await asyncio.wait_for(self.operations[operation](arguments), timeout)
        if lost is not None:
            raise lost
        return answer
