"""The node list: a CSV file that NODES of config.py can name, with a row (name, address, groups) for each node."""

import csv
import io
from pathlib import Path

from fission.core.nodes import BaseNode
from fission.project.nodes import CSVLoader


def read_list(path: Path) -> list[BaseNode]:
    """Return the nodes of the file; none when there is no file. Raises ConfigError for a row that cannot be used."""
    return CSVLoader().load_nodes(path.absolute()) if path.exists() else []


def add_node(path: Path, name: str, address: str, groups: tuple[str, ...]) -> bool:
    """Add a node, unless its address is there already; return whether it was added. Other lines stay as they are."""
    if any(node.ip == address for node in read_list(path)):
        return False
    text = path.read_text(encoding="utf-8") if path.exists() else "name,address\n"
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([name, address, *groups])
    _replace(path, text + "\n" * (not text.endswith("\n")) + row.getvalue())
    return True


def remove_node(path: Path, address: str) -> bool:
    """Remove the rows with an address; return whether there was one."""
    if not path.exists():
        return False
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not _has(line, address)]
    if len(kept) == len(lines):
        return False
    _replace(path, "".join(kept))
    return True


def _has(line: str, address: str) -> bool:
    cells = next(csv.reader([line], skipinitialspace=True), [])
    return len(cells) > 1 and cells[1].strip() == address and not cells[0].lstrip().startswith("#")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
