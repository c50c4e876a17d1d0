"""MARVELO's CSV files: a folder with `sink_source_mapping.csv` and, in `param`, files for nodes, positions and blocks.

The instance `n4b3s10` has 4 nodes, 3 blocks and the seed 10. Its nodes are in `n410.csv` and `pos410.csv`, its blocks in
`b310.csv`, its links in `chain_linear_3.csv`; the blocks form a chain where that file is missing.
"""

import csv
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from fission.planning.files import read_text
from fission.planning.model import EmbeddingError

__all__ = ["documents_of_folder"]

_MAPPING = "sink_source_mapping.csv"


def documents_of_folder(folder: Path, instance: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a place and the plain data of the instance, or of all in the folder. Raises EmbeddingError.

    Instances whose source and sink are on the same node are left out, as in the published results.
    """
    mapping = folder / _MAPPING
    ends = {}
    for row in _rows(mapping, ("seed", "nodes", "sink_idx", "source_idx")):
        seed, nodes, sink, source = (_whole(mapping, value) for value in row)
        ends[nodes, seed] = (source, sink)
    param = folder / "param"
    sizes = sorted(
        {int(m[1]) for one in param.glob("b*.csv") if (m := re.fullmatch(r"b(\d)\d+\.csv", one.name))}
    )
    for (nodes, seed), (source, sink) in ends.items():
        for blocks in sizes:
            name = f"n{nodes}b{blocks}s{seed}"
            wanted = instance is None or instance == name
            if wanted and source != sink and (param / f"b{blocks}{seed}.csv").is_file():
                yield f"{folder}, {name}", _instance(param, name, (nodes, blocks, seed), (source, sink))


def _instance(param: Path, name: str, sizes: tuple[int, int, int], ends: tuple[int, int]) -> dict[str, Any]:
    nodes, blocks, seed = sizes
    path = param / f"n{nodes}{seed}.csv"
    hosts = [
        {"name": row[1], "capacity": _number(path, row[2])} for row in _rows(path, ("", "Node", "capacity"))
    ]
    path = param / f"pos{nodes}{seed}.csv"
    axes = list(csv.reader(read_text(path).splitlines(), delimiter=";"))
    if len(axes) < 3 or {len(row) for row in axes[:3]} != {len(hosts) + 1} or max(ends) >= len(hosts):
        raise EmbeddingError(
            "it is wrong", where=str(path), expected=f"a header, and x and y of {len(hosts)} nodes"
        )
    for index, host in enumerate(hosts):
        host["x"], host["y"] = _number(path, axes[1][index + 1]), _number(path, axes[2][index + 1])
    path = param / f"b{blocks}{seed}.csv"
    made = [
        {"name": row[1], "demand": _number(path, row[3])}
        for row in _rows(path, ("", "srcapp", "port", "demand"))
    ]
    if len(made) != blocks:
        raise EmbeddingError(
            "it is wrong", where=str(path), expected=f"{blocks} blocks", found=f"{len(made)}"
        )
    links = param / f"chain_linear_{blocks}.csv"
    names = [str(block["name"]) for block in made]
    pairs = (
        [[row[1], row[3]] for row in _rows(links, 4)]
        if links.is_file()
        else [list(pair) for pair in pairwise(names)]
    )
    return {
        "name": name,
        "nodes": hosts,
        "blocks": made,
        "links": pairs,
        "source_block": names[0],
        "source_node": hosts[ends[0]]["name"],
        "sink_block": names[-1],
        "sink_node": hosts[ends[1]]["name"],
    }


def _rows(path: Path, head: tuple[str, ...] | int) -> Iterator[list[str]]:
    """Yield the rows below the head, which has to be this one or to have this many columns."""
    width = head if isinstance(head, int) else len(head)
    for number, row in enumerate(csv.reader(read_text(path).splitlines(), skipinitialspace=True), 1):
        if len(row) != width or (number == 1 and not isinstance(head, int) and tuple(row) != head):
            expected = f"{width} columns" if isinstance(head, int) else f"the columns {','.join(head)}"
            raise EmbeddingError("it is wrong", where=f"{path}:{number}", expected=expected)
        if number > 1:
            yield row


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise EmbeddingError(
            "it is wrong", where=str(path), expected="a number", found=repr(text)[:80]
        ) from None


def _whole(path: Path, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise EmbeddingError("it is wrong", where=str(path), expected="a whole number", found=repr(text)[:80])
    return int(text)
