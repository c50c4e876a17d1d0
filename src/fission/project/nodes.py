"""Reads NODES of config.py: nodes, and paths of CSV files with one node per row."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from fission.core.nodes import BaseNode, MultiNode
from fission.errors import ConfigError
from fission.project.addresses import is_pattern
from fission.project.settings import Mistake, describe

_EXPECTED = "a list of nodes and paths of CSV files, or one such path"


class NodeReader:
    """Reads NODES; `nodes` holds the valid entries, `mistakes` the problems of the others."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.nodes: list[BaseNode] = []
        self.mistakes: list[Mistake] = []
        self._places = (folder, root)

    def read(self, value: object) -> None:
        """Read the value of NODES."""
        if value is None:
            return
        if isinstance(value, str | os.PathLike):
            self._entry("NODES", value)
        elif isinstance(value, list | tuple):
            for index, entry in enumerate(value):
                self._entry(f"NODES[{index}]", entry)
        else:
            hint = "Put it in a list: NODES = [...]" if isinstance(value, BaseNode) else ""
            self.mistakes.append(Mistake("NODES", _EXPECTED, describe(value), hint))

    def _entry(self, name: str, entry: object) -> None:
        if isinstance(entry, BaseNode):
            self.nodes.append(entry)
        elif isinstance(entry, str | os.PathLike) and os.fspath(entry):
            self._file(name, Path(os.fspath(entry)))
        else:
            hint = ""
            if isinstance(entry, type) and issubclass(entry, BaseNode):
                hint = f'Call the class with an address: {entry.__name__}("192.168.4.2")'
            self.mistakes.append(Mistake(name, "a node or the path of a CSV file", describe(entry), hint))

    def _file(self, name: str, path: Path) -> None:
        found = next((place / path for place in self._places if (place / path).is_file()), None)
        if found is None:
            text = str(path)
            address = is_pattern(text) and not text.endswith(".csv")
            hint = f'An address belongs in a node: BaseNode("{text}")' if address else ""
            where = " or ".join(dict.fromkeys(str(place / path) for place in self._places))
            self.mistakes.append(Mistake(name, "the path of a CSV file", f"no file {where}", hint))
            return
        try:
            rows = list(_rows(found))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            what = (
                error.strerror
                if isinstance(error, OSError)
                else "it is not UTF-8 text with values separated by commas"
            )
            self.mistakes.append(Mistake(name, "a CSV file that can be read", f"{found}: {what}"))
            return
        for line, row in rows:
            self._row(f"{name}, {path}:{line}", row)

    def _row(self, name: str, row: list[str]) -> None:
        if len(row) < 2 or not row[1]:
            self.mistakes.append(
                Mistake(name, "name, address, and any number of groups", repr(",".join(row)))
            )
            return
        label, address, *groups = row
        kind = MultiNode if "*" in address else BaseNode
        try:
            self.nodes.append(kind(address, *filter(None, groups), name=label))
        except ConfigError as error:
            self.mistakes.append(Mistake(name, error.expected, error.found))


class CSVLoader:
    """Loads nodes from a CSV file, one per row: name, address, any number of groups."""

    def load_nodes(self, csv_path: str | os.PathLike[str]) -> list[BaseNode]:
        """Return the nodes of the file; a path is relative to the working directory.

        Raises ConfigError, with the first mistake, when the file or one of its rows cannot be used.
        """
        reader = NodeReader(Path(), Path())
        reader.read(csv_path)
        for mistake in reader.mistakes:
            raise ConfigError(
                "the nodes cannot be loaded",
                where=str(csv_path),
                expected=mistake.expected,
                found=mistake.found,
                hint=mistake.hint,
            )
        return reader.nodes


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of the file with their line numbers, without comments, empty rows and the header."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        for row in reader:
            cells = [cell.strip() for cell in row]
            empty = not any(cells) or cells[0].startswith("#")
            header = reader.line_num == 1 and [cell.lower() for cell in cells[:2]] in _HEADERS
            if not empty and not header:
                yield reader.line_num, cells


_HEADERS = (["name", "ip"], ["name", "address"], ["name", "host"])
