"""What the page quotes is what the program says: every quoted message is in the source."""

import ast
import re
from pathlib import Path

import pytest

from .pages import DOCS, ROOT

PAGE = DOCS / "how-to" / "troubleshooting.md"


def quoted() -> list[str]:
    """The first cells of tables that are messages: all of it in backquotes, and more than one word."""
    cells = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [cell for cell in cells if " " in cell and not cell.startswith("fission ")]


def texts() -> str:
    """All texts in the source that are no docstrings; expressions inside of texts become spaces that match nothing."""
    found: list[str] = []
    for path in (ROOT / "src/fission").rglob("*.py"):
        tree = ast.parse(path.read_bytes())
        descriptions = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in descriptions:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                )
    return "\n".join(found)


SOURCE = texts()


def test_there_are_some() -> None:
    assert len(quoted()) > 15


@pytest.mark.parametrize("message", quoted())
def test_the_message_exists(message: str) -> None:
    assert message in SOURCE, f"{Path(PAGE).name} quotes what the program does not say"
