"""Writes the parts of the documentation that follow from the code: the table of checks, the state diagrams.

    python scripts/generate_docs.py            write them
    python scripts/generate_docs.py --check    exit code 1 if a page is not what the code says

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; what is around it is written by hand.
"""

import re
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from fission.channel import conversation
from fission.project.checks import RULES, Rule

DOCS = Path(__file__).resolve().parents[1] / "docs"

Table = Mapping[tuple[Any, Any], IntEnum]

_AREAS = {
    "0": "config.py",
    "1": "How jobs, pipes and nodes are listed and joined",
    "2": "Jobs",
    "3": "Loops and pipes",
    "4": "Nodes and groups",
}
"""What the first digit of an id says."""


def checks() -> str:
    """The table of all checks, in the order of `fission check --list`."""
    lines = []
    area = ""
    for rule in sorted(RULES, key=lambda rule: (rule.id[1:], rule.id)):
        if rule.id[1] != area:
            area = rule.id[1]
            lines += ["", f"## {_AREAS[area]}", "", "| id | level | what is wrong |", "|---|---|---|"]
        lines.append(_row(rule))
    return "\n".join(lines[1:])


def _row(rule: Rule) -> str:
    return f"| {rule.id} | {rule.level} | {rule.title.replace('|', chr(92) + '|')} |"


def state_diagram(table: Table, start: IntEnum) -> str:
    """A Mermaid diagram of the table: one arrow per pair of states, with all events that take it."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in table.items():
        arrows.setdefault((before.name, after.name), []).append(event.name)
    lines = ["```mermaid", "stateDiagram-v2", f"  [*] --> {start.name}"]
    lines += [f"  {before} --> {after}: {', '.join(events)}" for (before, after), events in arrows.items()]
    return "\n".join([*lines, "```"])


PARTS: Mapping[str, Callable[[], str]] = {
    "checks": checks,
    "sender": lambda: state_diagram(conversation.SENDER_TABLE, conversation.SenderState.IDLE),
    "stream": lambda: state_diagram(conversation.STREAM_TABLE, conversation.StreamState.OPEN),
    "receiver": lambda: state_diagram(conversation.RECEIVER_TABLE, conversation.ReceiverState.IDLE),
}
"""What can be generated, by the name in the mark."""

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """A page with its generated parts as they should be. Raises KeyError for a part that nobody makes."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


def pages() -> dict[Path, str]:
    """Every page with a generated part, and what should be in it."""
    found = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
    return {page: renewed(text) for page, text in found.items() if _PART.search(text)}


def main() -> int:
    """Write the pages, or only compare them."""
    stale = {page: text for page, text in pages().items() if page.read_text(encoding="utf-8") != text}
    only_check = "--check" in sys.argv[1:]
    for page, text in stale.items():
        if not only_check:
            page.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{'stale' if only_check else 'written'}: {page}\n")
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
