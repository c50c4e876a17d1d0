"""Loads networks from JSON, as `export --format json` writes them.

```json
{
  "network": "squares",
  "jobs": [
    {"class": "squares.jobs.jobs.Count", "arguments": {"start": 1}, "outputs": [1]},
    {"class": "fission.core.jobs.CSVSinkJob", "arguments": {"path": "numbers.csv"}, "inputs": [1]}
  ],
  "pipes": [{"id": 1, "class": "fission.core.pipes.PicklePipe"}],
  "nodes": [{"address": "10.0.0.2", "groups": ["MICS"]}],
  "settings": {"SECURITY": "off"}
}
```

`arguments` are those of the class apart from its pipes; an exported file has none, as they cannot be read from a job. The classes
are imported, as those of a config.py are: load only files that you trust.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fission.core import registry
from fission.core.groups import ALL, names
from fission.core.jobs import BaseJob, DynamicExecutableJob, DynamicMARVELOJob
from fission.core.nodes import BaseNode
from fission.core.pipes import BasePipe, PicklePipe
from fission.errors import ConfigError, FissionError
from fission.project.loaded import LoadedNetwork
from fission.project.settings import NAMES, OTHER_SETTINGS, read_settings
from fission.project.suggest import did_you_mean
from fission.project.user_code import one_line
from fission.serialization import json_codec

__all__ = ["from_json"]

_PARTS = ("network", "jobs", "pipes", "nodes", "settings")
_PROGRAM = ("dependencies", "executable", "parameters")


def from_json(path: Path) -> LoadedNetwork:
    """Return the network that a file describes, with its `problems`. The file's folder comes first on `sys.path`.

    Raises ConfigError with the file and the entry that cannot be used. The registries of ids are cleared.
    """
    try:
        described = json_codec.decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise ConfigError(f"it is not valid JSON: {error}", where=str(path)) from error
    reader = _Reader(path.name)
    whole = reader.mapping(described, "", _PARTS)
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    registry.reset()
    pipes = [reader.pipe(index, one) for index, one in enumerate(reader.entries(whole, "pipes"))]
    by_id = {pipe.id: pipe for pipe in pipes}
    jobs = [reader.job(index, one, by_id) for index, one in enumerate(reader.entries(whole, "jobs"))]
    nodes = [reader.node(index, one) for index, one in enumerate(reader.entries(whole, "nodes"))]
    settings = reader.settings(whole.get("settings", {}))
    return LoadedNetwork(str(whole.get("network", path.stem)), tuple(jobs), tuple(nodes), settings)


class _Reader:
    """Reads the entries of one file; its errors name the entry."""

    def __init__(self, file: str) -> None:
        self._file = file

    def entries(self, whole: Mapping[str, Any], part: str) -> list[Any]:
        """Return the list of a part, which may be missing."""
        found = whole.get(part, [])
        if not isinstance(found, list):
            raise self._wrong(part, "a list", found)
        return found

    def mapping(self, value: object, where: str, known: tuple[str, ...]) -> dict[str, Any]:
        """Return an object of JSON that has known names only; those of an export that say nothing new are allowed."""
        if not isinstance(value, dict):
            raise self._wrong(where, "an object with names and values", value)
        for name in value:
            if name not in known:
                raise ConfigError(
                    f"there is no {name[:40]!r}",
                    where=self._place(where),
                    expected=f"any of {', '.join(known)}",
                    hint=did_you_mean(name, known),
                )
        return value

    def pipe(self, index: int, value: object) -> BasePipe:
        """Make a pipe."""
        where = f"pipes[{index}]"
        known = ("id", "class", "arguments", "source", "destination")
        shown = (
            "block_size",
            "block_count",
            "asynchronous",
            "delivery",
        )  # settings of the class, in an export
        entry = self.mapping(value, where, (*known, *shown))
        kind = self._class(entry, where, BasePipe, PicklePipe)
        made: BasePipe = self._make(where, kind, {"id": entry.get("id"), **self._arguments(entry, where)})
        if "block_count" in entry and entry["block_count"] != made.BLOCK_COUNT:
            made.BLOCK_COUNT = entry["block_count"]
        return made

    def job(self, index: int, value: object, pipes: Mapping[int, BasePipe]) -> BaseJob:
        """Make a job with its pipes; a pipe that is not described is a PicklePipe."""
        where = f"jobs[{index}]"
        known = ("id", "name", "class", "arguments", "inputs", "outputs", "groups", "default_node", "head")
        entry = self.mapping(value, where, (*known, *_PROGRAM))
        kind = self._class(entry, where, BaseJob, None)
        arguments = self._arguments(entry, where)
        if issubclass(kind, DynamicExecutableJob | DynamicMARVELOJob):
            arguments |= {name: entry[name] for name in _PROGRAM if entry.get(name)}
        for side in ("inputs", "outputs"):
            ids = self.entries(entry, side)
            if any(type(one) is not int for one in ids):
                raise self._wrong(f"{where}, {side}", "a list of ids of pipes", ids)
            if ids:
                arguments[side] = [pipes.get(id) or self._make(where, PicklePipe, {"id": id}) for id in ids]
        job: BaseJob = self._make(where, kind, arguments)
        if "groups" in entry and tuple(names(entry["groups"])) != names(job.GROUPS):
            job.GROUPS = entry["groups"]
        if entry.get("default_node"):
            job.DEFAULT_NODE = str(entry["default_node"])
        return job

    def node(self, index: int, value: object) -> BaseNode:
        """Make a node."""
        where = f"nodes[{index}]"
        entry = self.mapping(value, where, ("address", "name", "class", "groups", "max_jobs"))
        kind = self._class(entry, where, BaseNode, BaseNode)
        groups = [one for one in self.entries(entry, "groups") if one != ALL]
        try:
            node: BaseNode = kind(
                entry.get("address"), *groups, name=entry.get("name") or "", max_jobs=entry.get("max_jobs")
            )
        except (FissionError, TypeError) as error:
            raise ConfigError(one_line(error), where=self._place(where)) from error
        return node

    def settings(self, value: object) -> Any:
        """Read the settings, which have the names of config.py."""
        known = tuple(sorted(NAMES - set(OTHER_SETTINGS)))
        settings, mistakes = read_settings(self.mapping(value, "settings", known))
        for mistake in mistakes:
            raise ConfigError(
                "wrong value",
                where=self._place(f"settings, {mistake.name}"),
                expected=mistake.expected,
                found=mistake.found,
                hint=mistake.hint,
            )
        return settings

    # -- inside ------------------------------------------------------------------------------------------

    def _class(
        self, entry: Mapping[str, Any], where: str, base: type[Any], default: type[Any] | None
    ) -> type[Any]:
        path = entry.get("class")
        if path is None and default is not None:
            return default
        module, _, name = str(path).rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name) if module else None
        except Exception as error:  # importing runs the user's code
            raise ConfigError(
                f"the class cannot be imported: {one_line(error)}", where=self._place(where)
            ) from error
        if not (isinstance(found, type) and issubclass(found, base)):
            raise self._wrong(
                f"{where}, class", f"the path of a {base.__name__}, as package.module.Class", path
            )
        return found

    def _arguments(self, entry: Mapping[str, Any], where: str) -> dict[str, Any]:
        found = entry.get("arguments", {})
        if not isinstance(found, dict):
            raise self._wrong(f"{where}, arguments", "an object with names and values", found)
        return dict(found)

    def _make(self, where: str, kind: type[Any], arguments: Mapping[str, Any]) -> Any:
        try:
            return kind(**arguments)
        except Exception as error:  # a class of the user may raise anything
            raise ConfigError(
                f"{kind.__name__} cannot be made: {one_line(error)}",
                where=self._place(where),
                hint=""
                if arguments.keys() - {"id", "inputs", "outputs"}
                else 'Its arguments go into "arguments"',
            ) from error

    def _wrong(self, where: str, expected: str, found: object) -> ConfigError:
        return ConfigError("wrong value", where=self._place(where), expected=expected, found=repr(found)[:60])

    def _place(self, where: str) -> str:
        return f"{self._file}, {where}" if where else self._file
